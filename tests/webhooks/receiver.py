"""A program that takes webhooks, and checks their signatures by its own lights."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

SECONDS = 10


@dataclass
class Posted:
    """One request as it came."""

    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def event(self) -> Any:
        return json.loads(self.body)

    def is_signed_with(self, secret: str) -> bool:
        """As the Standard Webhooks specification describes verification."""
        sent = int(self.headers["webhook-timestamp"])
        if abs(time.time() - sent) > 300:
            return False
        scheme, _, encoded = secret.partition("_")
        assert scheme == "whsec"
        content = b"%s.%d.%s" % (self.id.encode(), sent, self.body)
        mac = hmac.new(base64.b64decode(encoded), content, hashlib.sha256).digest()
        wanted = base64.b64encode(mac).decode()
        signatures = self.headers["webhook-signature"].split(" ")
        return any(
            version == "v1" and hmac.compare_digest(signature, wanted)
            for version, _, signature in (one.partition(",") for one in signatures)
        )


@dataclass
class Receiver:
    """Answers as `answer` says for the nth request, from 1, once `held` lets it."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)
    answer: Callable[[int], int] = lambda _: 204
    headers: dict[str, str] = field(default_factory=dict)
    held: asyncio.Event | None = None
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        shown = {name.lower(): value for name, value in request.headers.items()}
        self.posted.append(Posted(shown, body))
        async with self._news:
            self._news.notify_all()
        if self.held is not None:
            await self.held.wait()
        return web.Response(status=self.answer(len(self.posted)), headers=self.headers)

    async def until(self, count: int) -> list[Posted]:
        """What was sent, once that much was."""
        async with asyncio.timeout(SECONDS), self._news:
            await self._news.wait_for(lambda: len(self.posted) >= count)
        return self.posted


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    receiver.url = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()
