"""FastMCP's own reading of the document: no sessions, plain JSON answers, no log."""

import json
import os
from pathlib import Path

import fastmcp
import httpx2

fastmcp.settings.log_enabled = False
document = json.loads(Path(os.environ["BENCH_DOCUMENT"]).read_text())
upstream = httpx2.AsyncClient(
    base_url=document["servers"][0]["url"],
    limits=httpx2.Limits(max_connections=100, max_keepalive_connections=100),
)
server = fastmcp.FastMCP.from_openapi(document, client=upstream, name="fastmcp")
app = server.http_app(path="/mcp", stateless_http=True, json_response=True)
