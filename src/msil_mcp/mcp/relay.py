"""What reaches a session at the wrong replica, brought to the right one over the bus.

An answer to a question of ours, a cancellation, a log level: each may be posted to any process.
Every process hears all of them and acts on what it knows about. Levels and subscriptions are
held in memory, where they are used: a process started later does not know earlier ones.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import structlog

from msil_mcp.bus import Bus, BusInterrupted, BusUnavailable, SubscriberTooSlow
from msil_mcp.mcp.disconnect import DisconnectWatch
from msil_mcp.mcp.wire import Reply, RequestId

TOPIC: Final = "mcp.sessions"
RETRY_SECONDS: Final = 1.0
REMEMBERED: Final = 10_000
MAX_URIS: Final = 100
DEFAULT_LEVEL: Final = "info"

log = structlog.get_logger()


class Answered(msgspec.Struct, tag=True):
    """A client's reply to a request of ours."""

    session_id: str
    request_id: RequestId
    result: dict[str, Any] | None


class Cancelled(msgspec.Struct, tag=True):
    """A client takes a request back."""

    session_id: str
    request_id: RequestId


class LevelSet(msgspec.Struct, tag=True):
    """A client chose the least severe log level it wants."""

    session_id: str
    level: str


class Subscribed(msgspec.Struct, tag=True):
    """A client wants to hear of a resource it knows in this version; with None no longer."""

    session_id: str
    uri: str
    version: str | None


News = Answered | Cancelled | LevelSet | Subscribed

_decoder: Final = msgspec.msgpack.Decoder(News)


class SessionNotes:
    """What a session asked for that its sealed token cannot hold."""

    __slots__ = ("level", "uris")

    def __init__(self) -> None:
        self.level = DEFAULT_LEVEL
        self.uris: dict[str, str] = {}


class Relay:
    """One per process."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._questions: dict[tuple[str, RequestId], asyncio.Future[dict[str, Any] | None]] = {}
        self._running: dict[tuple[str, RequestId], DisconnectWatch] = {}
        self._notes: OrderedDict[str, SessionNotes] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; returns once nothing can be missed any more."""
        listening = asyncio.Event()
        self._task = asyncio.create_task(self._listen(listening), name="mcp-relay")
        await listening.wait()

    async def close(self) -> None:
        """Stop listening."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @contextmanager
    def question(
        self, session_id: str
    ) -> Iterator[tuple[str, asyncio.Future[dict[str, Any] | None]]]:
        """An id for a request to the client, and what will hold the result (None: refused)."""
        request_id = f"ask-{secrets.token_urlsafe(9)}"
        future: asyncio.Future[dict[str, Any] | None] = asyncio.get_running_loop().create_future()
        self._questions[session_id, request_id] = future
        try:
            yield request_id, future
        finally:
            del self._questions[session_id, request_id]

    @contextmanager
    def running(
        self, session_id: str, request_id: RequestId, watch: DisconnectWatch
    ) -> Iterator[None]:
        """Within, the request can be cancelled through any replica."""
        key = (session_id, request_id)
        self._running[key] = watch
        try:
            yield
        finally:
            if self._running.get(key) is watch:
                del self._running[key]

    def notes(self, session_id: str) -> SessionNotes:
        """What the session asked for, as far as this process has heard."""
        return self._notes.get(session_id) or SessionNotes()

    async def answer(self, session_id: str, reply: Reply) -> None:
        """Bring a client's reply to whoever asked."""
        await self.tell(Answered(session_id, reply.id, reply.result))

    async def tell(self, news: News) -> None:
        """Make something known in every process, this one included."""
        if isinstance(news, Answered | Cancelled) and self._apply(news):
            return
        await self._bus.publish(TOPIC, msgspec.msgpack.encode(news))

    def _apply(self, news: News) -> bool:
        if isinstance(news, Answered):
            future = self._questions.get((news.session_id, news.request_id))
            if future is not None and not future.done():
                future.set_result(news.result)
            return future is not None
        if isinstance(news, Cancelled):
            watch = self._running.get((news.session_id, news.request_id))
            if watch is not None:
                watch.cancel()
            return watch is not None
        notes = self._notes.setdefault(news.session_id, SessionNotes())
        self._notes.move_to_end(news.session_id)
        if len(self._notes) > REMEMBERED:
            self._notes.popitem(last=False)
        if isinstance(news, LevelSet):
            notes.level = news.level
        elif news.version is None:
            notes.uris.pop(news.uri, None)
        elif len(notes.uris) < MAX_URIS:
            notes.uris[news.uri] = news.version
        return True

    async def _listen(self, listening: asyncio.Event) -> None:
        while True:
            try:
                async with self._bus.subscribe(TOPIC) as events:
                    listening.set()
                    async for event in events:
                        self._apply(_decoder.decode(event.payload))
            except (BusInterrupted, BusUnavailable, SubscriberTooSlow) as error:
                log.warning("mcp_relay_interrupted", reason=error.slug)
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return
