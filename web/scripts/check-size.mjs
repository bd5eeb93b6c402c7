// The gzip size of the JavaScript an app loads to show its first page, held to a limit in kB: the
// entry, what it imports, and the modules named after the limit.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const [name, limit, ...alsoFirst] = process.argv.slice(2);
const out = new URL(`../../src/msil_mcp/pages/static/${name}/`, import.meta.url);
const manifest = JSON.parse(readFileSync(new URL("manifest.json", out), "utf8"));

const first = new Set();
function visit(key) {
  if (first.has(key)) return;
  first.add(key);
  for (const next of manifest[key].imports ?? []) visit(next);
}
for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry || alsoFirst.includes(key)) visit(key);

const size = (key) => gzipSync(readFileSync(new URL(manifest[key].file, out)), { level: 9 }).length;
const bytes = [...first].reduce((sum, key) => sum + size(key), 0);
const kilobytes = bytes / 1000;
console.log(`${name}: ${kilobytes.toFixed(1)} kB of JavaScript (gzip) at first load, limit ${limit} kB`);
if (kilobytes > Number(limit)) process.exit(1);
