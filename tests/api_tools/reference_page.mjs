// Opens a page of ours in a real browser as a reader would, and tells what it asked for, showed and was refused:
// `node reference_page.mjs BROWSER URL WORD [SCREENSHOT]`. WORD is looked for by the search.
import { chromium } from "playwright-core";

const [executablePath, url, word, screenshot] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  const told = { requests: [], violations: [], errors: [] };
  page.on("request", (request) => told.requests.push(request.url()));
  page.on("pageerror", (error) => told.errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") told.errors.push(message.text());
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) =>
      window.violations.push(`${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`),
    );
  });
  await page.goto(url);
  await page.waitForSelector("#reference h1");
  told.sections = await page.locator("[data-section-id]").evaluateAll((found) => found.map((one) => one.dataset.sectionId));
  told.text = await page.innerText("#reference");
  // Styles count: the reference has its menu on the left.
  told.columns = await page.locator(".menu-content").evaluate((menu) => menu.getBoundingClientRect().width);
  await page.getByPlaceholder("Search").fill(word);
  await page.waitForSelector("[data-role='search:results'] li");
  told.found = await page.innerText("[data-role='search:results']");
  if (screenshot) await page.screenshot({ path: screenshot });
  told.violations = await page.evaluate(() => window.violations);
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}
