"""A product with documents of ours beside the booking tools."""

import json
from typing import Any

from running import Product, Reply


async def bring(product: Product, document: dict[str, Any], query: str) -> Reply:
    """Import a document as an administrator."""
    path = f"/api/specs?allow_private=true&{query}"
    raw = json.dumps(document).encode()
    reply = await product.request("POST", path, role="administrator", data=raw)
    assert reply.status == 200, reply.body
    return reply


async def fetch(product: Product, path: str, *, role: str = "administrator") -> Any:
    """What a GET answers."""
    reply = await product.request("GET", path, role=role)
    assert reply.status == 200, reply.body
    return reply.json
