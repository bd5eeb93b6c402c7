"""The one bus: snapshot news, server-to-client answers, run chunks, stops and live events.

Two implementations with one behaviour: memory for a single process, PostgreSQL for replicas.
Events of a topic are ordered by `sequence`; a bounded number of them is kept for replay.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Event:
    """One published message; `sequence` grows within a topic and is never reused."""

    topic: str
    sequence: int
    payload: bytes


class Bus(Protocol):
    """Publish and subscribe between processes."""

    async def start(self) -> None:
        """Connect; raises Unavailable when the other side cannot be reached."""
        ...

    async def close(self) -> None:
        """End every subscription and release connections."""
        ...

    async def publish(self, topic: str, payload: bytes) -> int:
        """Hand the payload to every subscriber in every process; returns its sequence."""
        ...

    def subscribe(
        self, *topics: str, after: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Listen from the moment the context is entered.

        With `after`, first replays kept events of a higher sequence, then continues without gap
        or repetition. A topic ending in `*` matches by prefix. A subscriber that falls more than
        the bounded queue behind is ended with SubscriberTooSlow rather than growing memory.
        """
        ...
