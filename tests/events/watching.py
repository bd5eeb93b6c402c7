"""A watcher of /api/events, and what it heard."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect

from running import Product

SECONDS = 10


class Watcher:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.last = 0

    async def next(self) -> dict[str, Any]:
        """The next message that is not a ping."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = msgspec.json.decode(await self.connection.recv())
                self.last = message["sequence"]
                if message["type"] != "ping":
                    return message

    async def expect(self, *types: str) -> list[dict[str, Any]]:
        found = [await self.next() for _ in types]
        assert tuple(message["type"] for message in found) == types, found
        return found


@asynccontextmanager
async def watching(
    product: Product,
    role: str = "operator",
    *,
    after: int | None = None,
    ready: bool = True,
    headers: dict[str, str] | None = None,
    **options: Any,
) -> AsyncIterator[Watcher]:
    """Connected; unless told otherwise, already hearing what is live."""
    url = product.url.replace("http:", "ws:") + "/api/events"
    url += f"?after={after}" if after is not None else ""
    sent = product.headers(role) if headers is None else headers
    async with connect(url, additional_headers=sent, proxy=None, **options) as connection:
        watcher = Watcher(connection)
        if ready:
            await watcher.expect("ready")
        yield watcher
