"""The bus of a single process."""

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from msil_mcp.bus.events import (
    RETENTION_SECONDS,
    BusUnavailable,
    Event,
    check_publishable,
)
from msil_mcp.bus.fanout import Fanout, Queue, split

KEPT_PER_TOPIC: Final = 1_024
KEPT_BYTES: Final = 64 << 20
YIELD_ABOVE: Final = 200


@dataclass(slots=True)
class _Topic:
    """What is kept of a topic for replay."""

    events: deque[Event] = field(default_factory=deque)
    size: int = 0
    last: float = 0.0


class MemoryBus:
    """Keeps a bounded number of events per topic, and a bounded number of bytes in all."""

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        kept_bytes: int = KEPT_BYTES,
    ) -> None:
        self._clock = clock
        self._kept_bytes = kept_bytes
        self._fanout = Fanout()
        # Least recently published first.
        self._topics: OrderedDict[str, _Topic] = OrderedDict()
        self._size = 0
        # Sequences outlive a restart in the hands of clients, so they never start over.
        self._sequence = time.time_ns() // 1_000
        self._open = False

    async def start(self) -> None:
        """Accept events."""
        self._open = True

    async def close(self) -> None:
        """End every subscription."""
        self._open = False
        self._fanout.end_all(None)

    @property
    def connected(self) -> bool:
        """There is no other process to lose."""
        return self._open

    @property
    def last_heard(self) -> float:
        """Always now."""
        return time.monotonic()

    async def publish(self, topic: str, payload: bytes) -> int:
        """Deliver at once."""
        check_publishable(topic, payload)
        if not self._open:
            raise BusUnavailable
        self._sequence += 1
        event = Event(topic, self._sequence, payload)
        self._keep(event)
        if self._fanout.deliver(event) > YIELD_ABOVE:
            # A publisher in a loop must not outrun readers that never got a turn.
            await asyncio.sleep(0)
        return event.sequence

    async def kept(self, topic: str) -> Sequence[Event]:
        """See Bus."""
        if not self._open:
            raise BusUnavailable
        return self._kept((topic,), after=0)

    @asynccontextmanager
    async def subscribe(
        self, *topics: str, after: int | None = None
    ) -> AsyncIterator[AsyncIterator[Event]]:
        """See Bus."""
        if not self._open:
            raise BusUnavailable
        with self._fanout.listening(topics) as queue:
            kept = [] if after is None else self._kept(topics, after=after)
            events = _events(kept, queue)
            async with aclosing(events):
                yield events

    def _kept(self, topics: tuple[str, ...], *, after: int) -> list[Event]:
        self._forget()
        exact, prefixes = split(topics)
        names = {name for name in exact if name in self._topics}
        if prefixes:
            names.update(name for name in self._topics if name.startswith(prefixes))
        found = [
            event for name in names for event in self._topics[name].events if event.sequence > after
        ]
        return sorted(found, key=lambda event: event.sequence)

    def _keep(self, event: Event) -> None:
        topic = self._topics.setdefault(event.topic, _Topic())
        self._topics.move_to_end(event.topic)
        topic.last = self._clock()
        topic.events.append(event)
        topic.size += len(event.payload)
        self._size += len(event.payload)
        if len(topic.events) > KEPT_PER_TOPIC:
            self._drop_oldest(topic)
        self._forget()

    def _forget(self) -> None:
        """Drop idle topics, and the longest unused ones when all are too large together."""
        limit = self._clock() - RETENTION_SECONDS
        while self._topics:
            name, topic = next(iter(self._topics.items()))
            if topic.last < limit or (self._size > self._kept_bytes and len(self._topics) > 1):
                self._size -= topic.size
                del self._topics[name]
            elif self._size > self._kept_bytes and topic.events:
                self._drop_oldest(topic)
            else:
                return

    def _drop_oldest(self, topic: _Topic) -> None:
        dropped = len(topic.events.popleft().payload)
        topic.size -= dropped
        self._size -= dropped


async def _events(kept: list[Event], queue: Queue) -> AsyncGenerator[Event, None]:
    for event in kept:
        yield event
    while (live := await queue.next()) is not None:
        yield live
