// Writes what our OpenAPI document says about the bodies of requests (lengths, patterns, bounds,
// allowed values) as src/limits.ts, so that forms check what the server will check.
import { readFileSync, writeFileSync } from "node:fs";

const [document = "openapi.json", output = "src/limits.ts"] = process.argv.slice(2);
const { paths, components } = JSON.parse(readFileSync(document, "utf8"));

const KEPT = ["minLength", "maxLength", "pattern", "minimum", "maximum", "minItems", "maxItems", "default"];

function limitsOf(schema) {
  const said = schema.anyOf?.find((one) => one.type !== "null") ?? schema;
  const limits = {};
  for (const name of KEPT) {
    const value = said[name] ?? schema[name];
    if (value !== undefined && value !== null) limits[name] = value;
  }
  if (said.enum) limits.values = said.enum;
  if (said.items) {
    const items = limitsOf(said.items);
    if (Object.keys(items).length > 0) limits.items = items;
  }
  return limits;
}

const bodies = new Set();
for (const operations of Object.values(paths)) {
  for (const operation of Object.values(operations)) {
    const reference = operation.requestBody?.content?.["application/json"]?.schema?.$ref;
    if (reference) bodies.add(reference.split("/").at(-1));
  }
}

const lines = ["/** Made from our OpenAPI document by `make api`: the limits of what requests may hold. */"];
for (const name of [...bodies].sort()) {
  const { properties = {}, required = [] } = components.schemas[name];
  const entries = Object.keys(properties)
    .sort()
    .map((key) => [key, { ...limitsOf(properties[key]), ...(required.includes(key) ? { required: true } : {}) }]);
  lines.push(`export const ${name} = ${JSON.stringify(Object.fromEntries(entries), null, 2)} as const;`);
}
writeFileSync(output, `${lines.join("\n\n")}\n`);
