"""/api/events: a WebSocket that tells what happens, as JSON messages.

    {"sequence": 17, "at": "…", "type": "tool.called", "data": {…}}

Beside events, `ready` says that what follows is live, `gap` that events may be missing before
this one (read the state afresh), and `ping` that nothing happened. Come back with
`?after=<the last sequence>` to miss nothing that is still kept. Nothing need be sent here.

With `?counts=true`, `counts` tells how many approvals wait, at first and whenever that changes.

`app.state`: `live_feed` (LiveFeed), `authenticator` and `count_waiting`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
import structlog
from fastapi import APIRouter, Depends, Query, WebSocket, WebSocketDisconnect

from msil_mcp.audit.feed import GAP, PING, READY, Heard, LiveFeed
from msil_mcp.audit.live import may_see
from msil_mcp.bus import SubscriberTooSlow
from msil_mcp.errors import Forbidden, MsilError, Unauthenticated
from msil_mcp.principal import Authenticator, Principal, require

log = structlog.get_logger()
router = APIRouter(tags=["events"])

SEND_SECONDS: Final = 10.0
"""How long a message may wait for a reader whose buffers are full."""
CLOSE_SECONDS: Final = 10.0
CHECK_SECONDS: Final = 1.0
"""How long a credential counts before it is judged again."""

NOT_ALLOWED: Final = 4003
TOO_SLOW: Final = 4008
TRY_AGAIN: Final = 1013

COUNTS: Final = "counts"
_RECOUNTED: Final = frozenset({READY, GAP, PING})
"""Beside those of approvals, when to count: at first, and as time passes and requests expire."""
CountWaiting = Callable[[Principal], Awaitable[int]]
_FOR_ALL: Final = frozenset({GAP, READY, PING})
_encode = msgspec.json.Encoder().encode


class _Ended(Exception):
    """The server ends the connection, and says why."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class _Message(msgspec.Struct):
    sequence: int
    at: datetime
    type: str
    data: Any


@router.websocket("/api/events")
async def watch_events(
    websocket: WebSocket,
    principal: Annotated[Principal, Depends(require("profile:read"))],
    after: Annotated[int | None, Query(ge=0, description="The last sequence heard.")] = None,
    counts: Annotated[bool, Query(description="Tell how many approvals wait, too.")] = False,
) -> None:
    """Everything with analytics:read, approvals with approvals:read, and one's own."""
    feed: LiveFeed = websocket.app.state.live_feed
    await websocket.accept()
    telling = asyncio.create_task(
        _Watcher(websocket, principal, counts=counts).tell(feed, after=after)
    )
    leaving = asyncio.create_task(_until_gone(websocket))
    try:
        await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        ended = None if leaving.done() else await telling
    finally:
        for task in (telling, leaving):
            task.cancel()
        await asyncio.gather(telling, leaving, return_exceptions=True)
    if ended is not None:
        await _close(websocket, ended)


class _Watcher:
    """One connection: who watches, and what of all that happens is for them."""

    def __init__(self, websocket: WebSocket, principal: Principal, *, counts: bool) -> None:
        self._websocket = websocket
        self._counts = counts
        self._waiting: int | None = None
        self._authenticator: Authenticator = websocket.app.state.authenticator
        self._principal = principal
        self._checked = time.monotonic()

    async def tell(self, feed: LiveFeed, *, after: int | None) -> _Ended:
        """Send until something ends it; returns what."""
        try:
            with feed.counted(self._principal.id):
                async with feed.watching(after=after) as events:
                    await self._send_all(events)
        except _Ended as ended:
            return ended
        except SubscriberTooSlow as error:
            return _Ended(TOO_SLOW, str(error))
        except MsilError as error:
            return _Ended(TRY_AGAIN, str(error))
        return _Ended(1012, "The server is stopping. Connect again.")

    async def _send_all(self, events: AsyncIterator[Heard]) -> None:
        async for sequence, event in events:
            await self._check()
            if event.type in _FOR_ALL or may_see(self._principal, event):
                message = _Message(sequence, event.at, event.type, event.data)
                await self._send(_encode(message).decode())
            if self._counts and (event.type in _RECOUNTED or event.type.startswith("approval.")):
                await self._recount(sequence)

    async def _recount(self, sequence: int) -> None:
        """Tell how many approvals wait if that is not what was told before."""
        count: CountWaiting = self._websocket.app.state.count_waiting
        waiting = await count(self._principal)
        if waiting != self._waiting:
            self._waiting = waiting
            data = {"approvals_pending": waiting}
            message = _Message(sequence, datetime.now(UTC), COUNTS, data)
            await self._send(_encode(message).decode())

    async def _check(self) -> None:
        """A credential that was revoked, or lost its rights, hears nothing more."""
        if time.monotonic() - self._checked < CHECK_SECONDS:
            return
        try:
            self._principal = await self._authenticator.authenticate(self._websocket.headers)
        except (Unauthenticated, Forbidden) as error:
            raise _Ended(NOT_ALLOWED, str(error)) from error
        self._checked = time.monotonic()

    async def _send(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_SECONDS):
                await self._websocket.send_text(text)
        except TimeoutError as error:
            raise _Ended(TOO_SLOW, str(SubscriberTooSlow())) from error


async def _until_gone(websocket: WebSocket) -> None:
    """What a client sends is ignored; it has nothing to say here."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _close(websocket: WebSocket, ended: _Ended) -> None:
    log.info("events_ended", code=ended.code)
    try:
        async with asyncio.timeout(CLOSE_SECONDS):
            # A control frame holds 123 bytes of reason.
            await websocket.close(ended.code, ended.reason[:120])
    except (TimeoutError, WebSocketDisconnect, RuntimeError):
        log.info("events_reader_gone", code=ended.code)
