"""Publishes what happens to those who watch, in any process; costs next to nothing if none does.

A process that has a watcher says so on the topic, again and again, and every process publishes
while it hears that. What was not published meanwhile is announced as a gap. Saying so is an event
like others, which gives every watcher a place in the order to start from and to come back to.
"""

import asyncio
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import uuid4

import msgspec
import structlog

from msil_mcp.audit.live import LiveEvent, events_of
from msil_mcp.audit.records import AuditRecord
from msil_mcp.bus import Bus, Event
from msil_mcp.errors import MsilError, Unavailable

log = structlog.get_logger()

TOPIC: Final = "live"
GAP: Final = "gap"
READY: Final = "ready"
PING: Final = "ping"
WATCHING: Final = "watching"
WATCHING_SECONDS: Final = 10.0
"""How often a process with watchers says so; it counts for three times as long."""
RETRY_SECONDS: Final = 1.0
MAX_OUTGOING: Final = 1_000
MOST_OF_ONE: Final = 64
"""Watchers that one caller may have in a process."""
BATCH: Final = 100

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(LiveEvent).decode


class Heard(NamedTuple):
    """An event with its place in the order; `type` may be gap, ready or ping, too."""

    sequence: int
    event: LiveEvent


class TooManyWatchers(Unavailable):
    """The caller watches as often as one may already."""

    slug = "too_many_watchers"

    def __init__(self) -> None:
        super().__init__(allowed=MOST_OF_ONE)


class LiveFeed:
    """One process's part in the live events."""

    def __init__(self, bus: Bus, *, watching_seconds: float = WATCHING_SECONDS) -> None:
        self._bus = bus
        self._watching_seconds = watching_seconds
        self._id = uuid4().hex
        self._outgoing: deque[tuple[AuditRecord, float]] = deque()
        self._anything = asyncio.Event()
        self._watchers = 0
        self._owned: Counter[str] = Counter()
        self._heard = float("-inf")
        self._wanted = False
        self._missed_since: float | None = None
        self._missed_until = 0.0
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def watchers(self) -> int:
        """Who watch through this process."""
        return self._watchers

    @contextmanager
    def counted(self, owner: str) -> Iterator[None]:
        """Counts a watcher of a caller's; TooManyWatchers."""
        if self._owned[owner] >= MOST_OF_ONE:
            raise TooManyWatchers
        self._owned[owner] += 1
        try:
            yield
        finally:
            self._owned[owner] -= 1
            if not self._owned[owner]:
                del self._owned[owner]

    async def start(self) -> None:
        """Begin to publish when somebody watches."""
        self._tasks = [
            asyncio.create_task(self._publish_for_ever(), name="live-publish"),
            asyncio.create_task(self._hear_for_ever(), name="live-hear"),
            asyncio.create_task(self._say_for_ever(), name="live-say"),
        ]

    async def close(self) -> None:
        """Stop; what is not published yet is dropped."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def note(self, record: AuditRecord) -> None:
        """Announce a record that has become durable, if somebody watches; never waits."""
        if not self._wanted or len(self._outgoing) >= MAX_OUTGOING:
            self._miss()
            return
        self._outgoing.append((record, time.time()))
        self._anything.set()

    @asynccontextmanager
    async def watching(self, *, after: int | None) -> AsyncIterator[AsyncIterator[Heard]]:
        """Events from now on, or after one that was heard before.

        The first is a gap unless everything after `after` is still kept; what comes after `ready`
        is live, and a ping comes now and then. Raises what the bus raises.
        """
        self._watchers += 1
        self._want()
        try:
            now = await self._say_watching()
            known = after is not None and after < now
            start = after if after is not None and known else now
            async with self._bus.subscribe(TOPIC, after=start - 1) as events:
                lost = after is not None and not known
                async with aclosing(self._from(events, start=start, now=now, lost=lost)) as heard:
                    yield heard
        finally:
            self._watchers -= 1

    async def _from(
        self, events: AsyncIterator[Event], *, start: int, now: int, lost: bool
    ) -> AsyncGenerator[Heard, None]:
        begun = time.time()
        first = True
        async for event in events:
            heard = Heard(event.sequence, _decode(event.payload))
            if first:
                first = False
                # Retention drops the oldest first: while `start` is kept, so is all after it.
                if lost or event.sequence != start:
                    yield Heard(start, _gap())
                elif start != now:
                    continue
            if heard.event.type == GAP and start == now and _ended_before(heard.event, begun):
                continue
            if heard.event.type != WATCHING:
                yield heard
            elif event.sequence >= now and heard.event.data["by"] == self._id:
                name = READY if event.sequence == now else PING
                yield Heard(event.sequence, LiveEvent(type=name, at=heard.event.at, data={}))

    def _miss(self, since: float | None = None) -> None:
        now = time.time()
        if self._missed_since is None:
            self._missed_since = since or now
        self._missed_until = now

    def _want(self) -> None:
        if not self._wanted:
            self._wanted = True
            self._anything.set()

    async def _say_watching(self) -> int:
        event = LiveEvent(type=WATCHING, at=datetime.now(UTC), data={"by": self._id})
        return await self._bus.publish(TOPIC, _encode(event))

    async def _say_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._watching_seconds)
            if self._watchers:
                try:
                    await self._say_watching()
                except MsilError as error:
                    log.warning("live_not_said", error=error.slug)
            elif time.monotonic() - self._heard > 3 * self._watching_seconds:
                self._wanted = False

    async def _hear_for_ever(self) -> None:
        while True:
            try:
                async with self._bus.subscribe(TOPIC) as events:
                    async for event in events:
                        if _decode(event.payload).type == WATCHING:
                            self._heard = time.monotonic()
                            self._want()
            except MsilError as error:
                log.warning("live_not_heard", error=error.slug)
            await asyncio.sleep(RETRY_SECONDS)

    async def _publish_for_ever(self) -> None:
        while True:
            self._anything.clear()
            payloads, since = self._take()
            if payloads:
                await self._publish(payloads, since=since)
            elif not self._anything.is_set():
                await self._anything.wait()

    def _take(self) -> tuple[list[bytes], float]:
        """A gap first, if there is one, then what is waiting; and the time of the oldest of it."""
        payloads: list[bytes] = []
        since = time.time()
        if self._wanted and self._missed_since is not None:
            since = self._missed_since
            payloads.append(_encode(_gap(since, self._missed_until)))
            self._missed_since = None
        for _ in range(min(BATCH, len(self._outgoing))):
            record, at = self._outgoing.popleft()
            since = min(since, at)
            payloads += map(_encode, events_of(record, at=datetime.fromtimestamp(at, UTC)))
        return payloads, since

    async def _publish(self, payloads: list[bytes], *, since: float) -> None:
        sent = [self._bus.publish(TOPIC, payload) for payload in payloads]
        failed = [
            result
            for result in await asyncio.gather(*sent, return_exceptions=True)
            if isinstance(result, BaseException)
        ]
        if failed:
            self._miss(since)
            log.warning("live_not_published", events=len(failed), error=repr(failed[0]))
            await asyncio.sleep(RETRY_SECONDS)


def _gap(since: float | None = None, until: float | None = None) -> LiveEvent:
    """Says that events are missing, and between which times if that is known."""
    span: dict[str, Any] = {}
    if since is not None and until is not None:
        span["since"] = datetime.fromtimestamp(since, UTC)
        span["until"] = datetime.fromtimestamp(until, UTC)
    return LiveEvent(type=GAP, at=datetime.now(UTC), data=span)


def _ended_before(gap: LiveEvent, moment: float) -> bool:
    """Whether what is missing lies before a time in seconds of the epoch."""
    until = gap.data.get("until")
    return until is not None and datetime.fromisoformat(until).timestamp() < moment
