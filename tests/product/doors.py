"""A call by the MCP door, as one plain HTTP request of the modern era."""

from typing import Any

from running import Product, Reply

VERSION = "2026-07-28"


async def call_by_mcp(product: Product, tool: str, arguments: dict[str, Any]) -> Reply:
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments, "_meta": meta},
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": VERSION,
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
    }
    return await product.request("POST", "/mcp", json=message, headers=headers)
