"""What the bus carries, and what every bus does.

Events of a topic are ordered by `sequence`; a bounded number of them is kept for replay, for a
bounded time.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, NamedTuple, Protocol

from msil_mcp.errors import MsilError, Unavailable

MAX_PAYLOAD_BYTES: Final = 1 << 20
MAX_TOPIC_CHARACTERS: Final = 200
MAX_BEHIND: Final = 1_000
RETENTION_SECONDS: Final = 900.0


class Event(NamedTuple):
    """One published message; `sequence` grows over all topics and is never reused."""

    topic: str
    sequence: int
    payload: bytes


class Bus(Protocol):
    """Publish and subscribe between processes."""

    async def start(self) -> None:
        """Connect; raises BusUnavailable when the other side cannot be reached."""
        ...

    async def close(self) -> None:
        """Send what was published, end every subscription and release connections."""
        ...

    @property
    def connected(self) -> bool:
        """Whether events of other processes arrive at present."""
        ...

    @property
    def last_heard(self) -> float:
        """When it was last certain that no event is missing, on the clock of `time.monotonic`."""
        ...

    async def publish(self, topic: str, payload: bytes) -> int:
        """Hand the payload to every subscriber in every process; returns its sequence.

        Events published one after the other keep their order. Raises BusUnavailable when it
        cannot be said that it was published, and PayloadTooLarge.
        """
        ...

    async def kept(self, topic: str) -> Sequence[Event]:
        """What is still there of one topic, oldest first; raises BusUnavailable."""
        ...

    def subscribe(
        self, *topics: str, after: int | None = None
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        """Listen from the moment the context is entered.

        With `after`, first replays kept events of a higher sequence, then continues without gap
        or repetition. A topic ending in `*` matches by prefix. A subscriber that falls more than
        `MAX_BEHIND` events behind is ended with SubscriberTooSlow rather than growing memory, and
        one whose events can no longer be caught up on with BusInterrupted; subscribing again
        after either starts afresh. Closing the bus ends the iteration.
        """
        ...


class SubscriberTooSlow(MsilError):
    """The subscriber did not take its events in time."""

    status = 503
    slug = "subscriber_too_slow"


class BusInterrupted(MsilError):
    """Events were missed for longer than they are kept."""

    status = 503
    slug = "bus_interrupted"


class BusUnavailable(Unavailable):
    """Events cannot be exchanged with other processes just now."""

    slug = "bus_unavailable"

    def __init__(self) -> None:
        super().__init__(retry_after=1.0)


class PayloadTooLarge(MsilError):
    """An event is for small messages; larger things are stored and referred to."""

    slug = "event_too_large"

    def __init__(self, *, size: int) -> None:
        super().__init__(limit=MAX_PAYLOAD_BYTES, size=size)


def check_publishable(topic: str, payload: bytes) -> None:
    """Raises ValueError for a topic that cannot be subscribed to, and PayloadTooLarge."""
    if not topic or len(topic) > MAX_TOPIC_CHARACTERS or "*" in topic or not topic.isprintable():
        raise ValueError(f"not a topic: {topic[:50]!r}")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise PayloadTooLarge(size=len(payload))
