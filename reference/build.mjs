// Puts the page together: `node build.mjs FOLDER`. The same lock makes the same bytes.
import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const here = import.meta.dirname;
const bundles = join(here, "node_modules", "redoc", "bundles");
const target = resolve(process.argv[2]);
mkdirSync(target, { recursive: true });
for (const name of ["index.html", "page.css", "page.js"]) copyFileSync(join(here, name), join(target, name));

// Redoc's bundle, but for the one picture that it would load from elsewhere, and with the nonce for all of its styles.
const changes = [
  ["https://cdn.redoc.ly/redoc/logo-mini.svg", "data:,"],
  [".nc=void 0", ".nc=document.currentScript.nonce"],
];
let bundle = readFileSync(join(bundles, "redoc.standalone.js"), "utf8");
for (const [theirs, ours] of changes) {
  if (bundle.split(theirs).length !== 2) throw new Error(`Redoc's bundle has not one ${theirs}`);
  bundle = bundle.replace(theirs, ours);
}
writeFileSync(join(target, "redoc.js"), `/* Licences: /docs/assets/LICENSES.txt */\n${bundle}`);

// Whose work is in the bundle, and on what terms.
const map = JSON.parse(readFileSync(join(bundles, "redoc.standalone.js.map"), "utf8"));
const names = new Set(["redoc"]);
for (const source of map.sources) {
  const found = source.match(/^.*node_modules\/((?:@[^/]+\/)?[^/]+)/);
  if (found) names.add(found[1]);
}
const packages = new Map();
for (const name of [...names].sort()) {
  const folder = join(here, "node_modules", name);
  const file = existsSync(folder) && readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
  const about = existsSync(folder) ? JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) : {};
  const text = file
    ? readFileSync(join(folder, file), "utf8").trim().replaceAll(/[ \t\r]+$/gm, "")
    : "(Redoc brings them in its bundle; the text of their licences is with their packages.)";
  packages.set(text, [...(packages.get(text) ?? []), about.license ? `${name} (${about.license})` : name]);
}
const notices = [...packages].map(([text, found]) => `${found.join("\n")}\n\n${text}\n`);
const own = readFileSync(join(bundles, "redoc.standalone.js.LICENSE.txt"), "utf8").trim().replaceAll(/[ \t\r]+$/gm, "");
const first = "redoc.js holds the work of others: Redoc and, in its bundle, these packages of npm.\n";
writeFileSync(
  join(target, "LICENSES.txt"),
  [first, ...notices, `As the bundle says itself:\n\n${own}\n`].join(`\n${"-".repeat(100)}\n\n`),
);
