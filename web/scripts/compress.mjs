// Leaves a brotli and a gzip copy beside each file of the two apps that gets smaller by it.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const TEXTS = /\.(css|js|json|map|svg|txt|webmanifest)$/;
const SMALLEST = 1024;
const out = fileURLToPath(new URL("../../src/msil_mcp/pages/static/", import.meta.url));

for (const app of ["chat", "admin"]) {
  for (const entry of readdirSync(join(out, app), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !TEXTS.test(path)) continue;
    const whole = readFileSync(path);
    if (whole.length < SMALLEST) continue;
    const params = { [constants.BROTLI_PARAM_SIZE_HINT]: whole.length };
    writeFileSync(`${path}.br`, brotliCompressSync(whole, { params }));
    writeFileSync(`${path}.gz`, gzipSync(whole, { level: 9 }));
  }
}
