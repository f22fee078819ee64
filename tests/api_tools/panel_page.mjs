// Opens a side panel in a real browser and tells what it shows: `node panel_page.mjs BROWSER URL`.
import { chromium } from "playwright-core";

const [executablePath, url] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath,
  args: ["--no-sandbox", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  const told = { errors: [] };
  page.on("pageerror", (error) => told.errors.push(String(error)));
  await page.goto(url);
  await page.waitForFunction(() => document.querySelector("#partwise [role=status]").textContent !== "Loading…");
  const rows = (table) => page.locator(`${table} tr`).evaluateAll((found) =>
    found.map((row) => [...row.children].map((cell) => cell.textContent)));
  told.status = await page.innerText("[role=status]");
  told.verdicts = await rows(".verdicts");
  told.top = await rows(".top");
  told.images = await page.locator("img").count();
  console.log(JSON.stringify(told));
} finally {
  await browser.close();
}
