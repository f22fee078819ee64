// Puts the page together: `node build.mjs FOLDER`. The same lock makes the same bytes.
import { copyFileSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;
const target = resolve(process.argv[2]);
mkdirSync(target, { recursive: true });

// The fonts would be most of the bytes; those of the reader's system do as well.
const withoutFonts = {
  name: "without fonts",
  setup(builder) {
    builder.onLoad({ filter: /graphiql[\\/]dist[\\/]style\.css$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll(/@font-face\s*\{[^}]*\}/g, ""),
      loader: "css",
    }));
  },
};

const { metafile } = await build({
  absWorkingDir: here,
  entryPoints: [
    { in: "page.jsx", out: "graphiql" },
    { in: "page.css", out: "graphiql" },
  ],
  outdir: target,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  charset: "utf8",
  define: { "process.env.NODE_ENV": '"production"' },
  legalComments: "none",
  banner: { js: "/* Licences: /graphql/assets/LICENSES.txt */", css: "/* Licences: /graphql/assets/LICENSES.txt */" },
  metafile: true,
  logLevel: "warning",
  plugins: [withoutFonts],
});
copyFileSync(join(here, "index.html"), join(target, "index.html"));

// Whose work is in the bundle, and on what terms.
const folders = new Set();
for (const input of Object.keys(metafile.inputs)) {
  const found = input.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/);
  if (found) folders.add(found[0]);
}
const packages = new Map();
for (const folder of [...folders].sort()) {
  const { name, version, license, author } = JSON.parse(readFileSync(join(here, folder, "package.json"), "utf8"));
  if (!license) throw new Error(`${name} names no licence`);
  const file = readdirSync(join(here, folder)).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
  const text = file
    ? readFileSync(join(here, folder, file), "utf8").trim().replaceAll(/[ \t\r]+$/gm, "")
    : `(The package brings no text of its licence. Author: ${author?.name ?? author ?? "not named"}.)`;
  packages.set(text, [...(packages.get(text) ?? []), `${name} ${version} (${license})`]);
}
const rule = `\n${"-".repeat(100)}\n\n`;
const head = "graphiql.js and graphiql.css hold the work of others, from these packages of npm.\n";
const notices = [...packages].map(([text, names]) => `${names.join("\n")}\n\n${text}\n`);
writeFileSync(join(target, "LICENSES.txt"), [head, ...notices].join(rule));
