"""Standing streams: they wake when the catalogue may have changed, and end with the process."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from msil_mcp.errors import Forbidden, Unauthenticated, Unavailable
from msil_mcp.mcp.exchange import Caller
from msil_mcp.mcp.incoming import Incoming
from msil_mcp.mcp.sse import KEEP_ALIVE_SECONDS, EventStream
from msil_mcp.principal import Authenticator

MAX_STREAMS: Final = 4096
MAX_STREAMS_OF_ONE: Final = 128


class TooManyStreams(Unavailable):
    """This process holds as many standing streams as it may."""

    slug = "too_many_streams"


class Changes:
    """Tells every standing stream of this process that something may have changed."""

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._listeners: set[asyncio.Event] = set()
        self._owned: Counter[str] = Counter()
        self._closing = asyncio.Event()

    def announce(self) -> None:
        """Wake every stream; each compares what its own caller sees."""
        for listener in self._listeners:
            listener.set()

    def close(self) -> None:
        """End every stream, and each that is opened from now on."""
        self._closing.set()
        self.announce()

    @property
    def is_closing(self) -> bool:
        """Whether the process is ending its streams."""
        return self._closing.is_set()

    @property
    def open_streams(self) -> int:
        """Standing streams of this process."""
        return len(self._listeners)

    async def closed(self) -> None:
        """Return when the process ends its streams."""
        await self._closing.wait()

    @contextmanager
    def standing(self, caller: Caller) -> Iterator[asyncio.Event]:
        """Counts a stream, and wakes it; TooManyStreams for the process or for one caller."""
        owner = caller.principal.id
        if len(self._listeners) >= MAX_STREAMS or self._owned[owner] >= MAX_STREAMS_OF_ONE:
            raise TooManyStreams
        woken = asyncio.Event()
        self._listeners.add(woken)
        self._owned[owner] += 1
        try:
            yield woken
        finally:
            self._listeners.discard(woken)
            self._owned[owner] -= 1
            if not self._owned[owner]:
                del self._owned[owner]

    async def follow(
        self,
        incoming: Incoming,
        stream: EventStream,
        *,
        begin: Callable[[], Awaitable[None]],
        look: Callable[[Caller], Awaitable[None]],
    ) -> bool:
        """Call `look` after every announcement until the client goes or the process ends.

        The credential is proved again each time, so a stream ends with the right to have it.
        Answers whether the client is still there to be told of the end.
        """
        with self.standing(incoming.caller) as woken:
            gone = asyncio.create_task(_disconnect(incoming, woken))
            try:
                await begin()
                while not gone.done() and not self.is_closing:
                    try:
                        async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                            await woken.wait()
                    except TimeoutError:
                        await stream.keep_alive()
                    woken.clear()
                    if gone.done() or self.is_closing:
                        break
                    principal = await self._authenticator.authenticate(incoming.headers)
                    await look(Caller(principal, incoming.caller.bundle))
            except (Unauthenticated, Forbidden, Unavailable):
                return not gone.done()
            finally:
                gone.cancel()
            return not gone.done()


async def _disconnect(incoming: Incoming, woken: asyncio.Event) -> None:
    await incoming.disconnected()
    woken.set()
