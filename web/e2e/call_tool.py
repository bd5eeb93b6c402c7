"""Lists tools and calls one with the official Python client; prints one JSON object.

Arguments: URL, key, tool name, arguments as JSON.
"""

import asyncio
import json
import sys

import httpx2 as httpx
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str, key: str, tool: str, arguments: str) -> None:
    """What the client was told, as one line of JSON."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(headers=headers) as web,
        Client(streamable_http_client(url, http_client=web)) as client,
    ):
        tools = await client.list_tools()
        result = await client.call_tool(tool, json.loads(arguments))
    told = {
        "tools": [each.name for each in tools.tools],
        "is_error": result.is_error,
        "structured": result.structured_content,
    }
    sys.stdout.write(json.dumps(told) + "\n")


asyncio.run(main(*sys.argv[1:]))
