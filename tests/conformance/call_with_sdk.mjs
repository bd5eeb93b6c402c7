// Lists and calls with the official TypeScript client; prints one JSON object.
// Arguments: URL, "legacy" or a version to pin, tool name, arguments as JSON, optional headers.
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";

const [url, era, tool, args, headers] = process.argv.slice(2);
const asked = [];
const client = new Client(
  { name: "conformance-typescript", version: "1.0.0" },
  {
    capabilities: { elicitation: {} },
    versionNegotiation: { mode: era === "legacy" ? "legacy" : { pin: era } },
  },
);
client.setRequestHandler("elicitation/create", async (request) => {
  asked.push(request.params.message);
  const fields = Object.entries(request.params.requestedSchema.properties);
  const content = fields.map(([name, { type }]) => [name, type === "boolean" ? true : "typed"]);
  return { action: "accept", content: Object.fromEntries(content) };
});
const transport = new StreamableHTTPClientTransport(new URL(url), {
  requestInit: { headers: JSON.parse(headers ?? "{}") },
});
await client.connect(transport);
const { tools } = await client.listTools();
const result = await client.callTool({ name: tool, arguments: JSON.parse(args) });
const version = client.getNegotiatedProtocolVersion();
await client.close();
console.log(JSON.stringify({ version, tools: tools.map((each) => each.name), result, asked }));
