"""Events of one process's subscribers: who wants what, and a bounded queue for each."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from msil_mcp.bus.events import MAX_BEHIND, Event, SubscriberTooSlow
from msil_mcp.errors import MsilError


class Queue:
    """What one subscriber has not read yet; ended by an error or, with None, quietly."""

    __slots__ = ("_ended", "_error", "_events", "_waiter")

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._ended = False
        self._error: MsilError | None = None

    def push(self, event: Event) -> int:
        """Add an event; one too many drops all, since a gap must be seen. Returns how many wait."""
        if self._ended:
            return 0
        if len(self._events) >= MAX_BEHIND:
            self._events.clear()
            self.end(SubscriberTooSlow())
            return 0
        self._events.append(event)
        self._wake()
        return len(self._events)

    def end(self, error: MsilError | None) -> None:
        """Nothing comes after what is queued."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._wake()

    async def next(self) -> Event | None:
        """The next event, or None at a quiet end; one reader at a time."""
        while not self._events:
            if self._error is not None:
                raise self._error
            if self._ended:
                return None
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        return self._events.popleft()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Fanout:
    """The subscribers of one process."""

    def __init__(self) -> None:
        self._exact: dict[str, set[Queue]] = {}
        self._prefixes: dict[str, set[Queue]] = {}

    @contextmanager
    def listening(self, topics: tuple[str, ...]) -> Iterator[Queue]:
        """A queue that receives what is delivered to these topics while the context lasts."""
        queue = Queue()
        exact, prefixes = split(topics)
        places = [(self._exact, topic) for topic in exact]
        places += [(self._prefixes, prefix) for prefix in prefixes]
        for index, name in places:
            index.setdefault(name, set()).add(queue)
        try:
            yield queue
        finally:
            for index, name in places:
                # The same topic may have been given twice.
                if (queues := index.get(name)) is not None:
                    queues.discard(queue)
                    if not queues:
                        del index[name]

    def deliver(self, event: Event) -> int:
        """Queue the event once for each subscriber it concerns; returns the longest queue."""
        queues = self._exact.get(event.topic)
        if self._prefixes:
            matching = [
                found for prefix, found in self._prefixes.items() if event.topic.startswith(prefix)
            ]
            if matching:
                queues = set().union(queues or (), *matching)
        if not queues:
            return 0
        return max(queue.push(event) for queue in queues)

    def end_all(self, error: MsilError | None) -> None:
        """End every subscription."""
        for index in (self._exact, self._prefixes):
            for queues in index.values():
                for queue in queues:
                    queue.end(error)


def split(topics: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Exact topics, and prefixes without their star; raises ValueError for none or a bad one."""
    if not topics or any(not topic or "*" in topic[:-1] for topic in topics):
        raise ValueError(f"not topics to subscribe to: {topics!r}")
    exact = tuple(topic for topic in topics if not topic.endswith("*"))
    return exact, tuple(topic[:-1] for topic in topics if topic.endswith("*"))
