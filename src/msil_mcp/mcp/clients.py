"""What is known of MCP clients: how each is told of this server, and what it can do with it.

Data, kept with the code that has to live with it. `tested` clients talk to this server in the test
suite; of the others it is what their makers document, as of `CHECKED`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

CHECKED: Final = "2026-11"
ClientId = Literal[
    "claude_code", "claude_desktop", "vscode", "cursor", "inspector", "python", "typescript"
]
Era = Literal["sessions", "stateless", "both"]
Support = Literal["yes", "partly", "no"]
Basis = Literal["tested", "documented"]
SnippetLanguage = Literal["shell", "json", "python", "javascript"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Supports:
    """What a client does with what this server offers.

    Without `elicitation` a write is agreed to on a page of this server, and then repeated. `key`
    is an API key in a header; `oauth` is signing in at the identity provider by URL alone.
    """

    tools: Support = "yes"
    resources: Support
    prompts: Support
    elicitation: Support
    progress: Support
    list_changes: Support
    key: Support = "yes"
    oauth: Support


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """What to type or to write where; {url}, {key} and {name} are to be filled in."""

    title: str
    language: SnippetLanguage
    file: str | None
    text: str

    def filled(self, *, url: str, key: str, name: str) -> str:
        """The text for one address."""
        return self.text.replace("{url}", url).replace("{key}", key).replace("{name}", name)


@dataclass(frozen=True, slots=True, kw_only=True)
class McpClient:
    """One client."""

    id: ClientId
    title: str
    kind: Literal["application", "code"]
    era: Era
    transport: Literal["http", "stdio"]
    supports: Supports
    basis: Basis
    note: str
    snippets: Sequence[Snippet]


_JSON_SERVERS: Final = """{
  "mcpServers": {
    "{name}": {
      "type": "http",
      "url": "{url}",
      "headers": { "Authorization": "Bearer {key}" }
    }
  }
}
"""

CLIENTS: Final[Sequence[McpClient]] = (
    McpClient(
        id="claude_code",
        title="Claude Code",
        kind="application",
        era="sessions",
        transport="http",
        supports=Supports(
            resources="yes",
            prompts="yes",
            elicitation="yes",
            progress="partly",
            list_changes="yes",
            oauth="yes",
        ),
        basis="documented",
        note="Prompts appear as slash commands, resources behind @. Check with /mcp.",
        snippets=(
            Snippet(
                title="Once, for all projects",
                language="shell",
                file=None,
                text="claude mcp add --scope user --transport http {name} {url} "
                '--header "Authorization: Bearer {key}"\n',
            ),
            Snippet(
                title="For everybody in a project",
                language="json",
                file=".mcp.json",
                text=_JSON_SERVERS.replace("{key}", "${MSIL_API_KEY}"),
            ),
        ),
    ),
    McpClient(
        id="claude_desktop",
        title="Claude Desktop",
        kind="application",
        era="sessions",
        transport="stdio",
        supports=Supports(
            resources="yes",
            prompts="yes",
            elicitation="no",
            progress="partly",
            list_changes="yes",
            oauth="yes",
        ),
        basis="documented",
        note="Its configuration file starts programs: the bridge passes messages on to this "
        "server. With an identity provider, add the URL under Settings, Connectors instead.",
        snippets=(
            Snippet(
                title="Settings, Developer, Edit Config",
                language="json",
                file="claude_desktop_config.json",
                text="""{
  "mcpServers": {
    "{name}": {
      "command": "msil-mcp",
      "args": ["serve", "--stdio", "--url", "{url}"],
      "env": { "MSIL_API_KEY": "{key}" }
    }
  }
}
""",
            ),
        ),
    ),
    McpClient(
        id="vscode",
        title="VS Code",
        kind="application",
        era="sessions",
        transport="http",
        supports=Supports(
            resources="yes",
            prompts="yes",
            elicitation="yes",
            progress="yes",
            list_changes="yes",
            oauth="yes",
        ),
        basis="documented",
        note="Asks for the key once and keeps it out of the file. Tools are there in agent mode.",
        snippets=(
            Snippet(
                title="In the workspace",
                language="json",
                file=".vscode/mcp.json",
                text="""{
  "inputs": [
    {
      "type": "promptString",
      "id": "{name}-key",
      "description": "API key of MSIL MCP Server",
      "password": true
    }
  ],
  "servers": {
    "{name}": {
      "type": "http",
      "url": "{url}",
      "headers": { "Authorization": "Bearer ${input:{name}-key}" }
    }
  }
}
""",
            ),
        ),
    ),
    McpClient(
        id="cursor",
        title="Cursor",
        kind="application",
        era="sessions",
        transport="http",
        supports=Supports(
            resources="partly",
            prompts="yes",
            elicitation="yes",
            progress="partly",
            list_changes="yes",
            oauth="yes",
        ),
        basis="documented",
        note="Offers the model about 40 tools at once: use the address of one bundle.",
        snippets=(
            Snippet(
                title="For all projects",
                language="json",
                file="~/.cursor/mcp.json",
                text=_JSON_SERVERS.replace('      "type": "http",\n', ""),
            ),
        ),
    ),
    McpClient(
        id="inspector",
        title="MCP Inspector",
        kind="application",
        era="both",
        transport="http",
        supports=Supports(
            resources="yes",
            prompts="yes",
            elicitation="yes",
            progress="yes",
            list_changes="yes",
            oauth="yes",
        ),
        basis="tested",
        note="For looking at what a client sees, and for trying calls.",
        snippets=(
            Snippet(
                title="List the tools",
                language="shell",
                file=None,
                text="npx @modelcontextprotocol/inspector --cli {url} --transport http "
                '--header "Authorization: Bearer {key}" --method tools/list\n',
            ),
        ),
    ),
    McpClient(
        id="python",
        title="Python",
        kind="code",
        era="both",
        transport="http",
        supports=Supports(
            resources="yes",
            prompts="yes",
            elicitation="yes",
            progress="yes",
            list_changes="yes",
            oauth="yes",
        ),
        basis="tested",
        note="The official SDK: pip install mcp. Writes ask through elicitation_callback.",
        snippets=(
            Snippet(
                title="List the tools",
                language="python",
                file="tools.py",
                text="""import asyncio

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main() -> None:
    http = httpx2.AsyncClient(headers={"Authorization": "Bearer {key}"})
    transport = streamable_http_client("{url}", http_client=http)
    async with Client(transport) as client:
        for tool in (await client.list_tools()).tools:
            print(tool.name, "-", tool.title)


asyncio.run(main())
""",
            ),
        ),
    ),
    McpClient(
        id="typescript",
        title="TypeScript",
        kind="code",
        era="both",
        transport="http",
        supports=Supports(
            resources="yes",
            prompts="yes",
            elicitation="yes",
            progress="yes",
            list_changes="yes",
            oauth="yes",
        ),
        basis="tested",
        note="The official SDK: npm install @modelcontextprotocol/client. Runs as it is in Node.",
        snippets=(
            Snippet(
                title="List the tools",
                language="javascript",
                file="tools.mjs",
                text="""import {
  Client,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";

const client = new Client({ name: "my-agent", version: "1.0.0" });
const transport = new StreamableHTTPClientTransport(new URL("{url}"), {
  requestInit: { headers: { Authorization: "Bearer {key}" } },
});
await client.connect(transport);
const { tools } = await client.listTools();
for (const tool of tools) console.log(tool.name, "-", tool.title);
await client.close();
""",
            ),
        ),
    ),
)
