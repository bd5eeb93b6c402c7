"""Answer streams a legacy client can come back to: every event is also on the bus for a while."""

import asyncio
import secrets
from typing import Final

from typing_extensions import override

from msil_mcp.bus import Bus, BusInterrupted, BusUnavailable, PayloadTooLarge, SubscriberTooSlow
from msil_mcp.mcp.changes import Changes
from msil_mcp.mcp.http import Send
from msil_mcp.mcp.incoming import Incoming
from msil_mcp.mcp.sse import KEEP_ALIVE_SECONDS, EventStream, frame

PREFIX: Final = "call."
RETRY_MS: Final = 500
RESUME_SECONDS: Final = 600.0
_MORE, _LAST = b"+", b"."


def _topic(session_id: str, stream_id: str) -> str:
    return f"mcp-stream.{session_id}.{stream_id}"


class ReplayableStream(EventStream):
    """An SSE answer whose events carry ids; a plain answer never touches the bus."""

    is_resumable = True

    def __init__(self, send: Send, *, bus: Bus, session_id: str, primed: bool) -> None:
        super().__init__(send)
        self._bus = bus
        self._session_id = session_id
        self._stream_id = ""
        self._primed = primed

    @override
    async def open(self) -> None:
        self._stream_id = secrets.token_urlsafe(9)
        await super().open()
        if self._primed:
            # Lets the client resume even when it loses the connection before the first event.
            await self.write(frame(b"", event_id=self._id(0), retry_ms=RETRY_MS))

    @override
    async def send_message(self, message: bytes) -> None:
        if not self.is_open:
            await self.open()
        await self.write(frame(message, event_id=await self._keep(_MORE, message)))

    @override
    async def finish(self, message: bytes) -> None:
        if not self.is_open:
            await self.open()
        await self.write(frame(message, event_id=await self._keep(_LAST, message)))
        await self.end()

    @override
    async def release(self) -> None:
        if self._primed:
            await self.end()

    async def _keep(self, mark: bytes, message: bytes) -> str | None:
        try:
            topic = _topic(self._session_id, self._stream_id)
            return self._id(await self._bus.publish(topic, mark + message))
        except (BusUnavailable, PayloadTooLarge):
            # The client still gets the event; only a later resumption would miss it.
            return None

    def _id(self, sequence: int) -> str:
        return f"{PREFIX}{self._stream_id}.{sequence}"


async def resume(
    incoming: Incoming, *, bus: Bus, changes: Changes, session_id: str, last_event_id: str
) -> None:
    """Send what followed an event of an answer stream of this session, up to its end."""
    with changes.standing(incoming.caller):
        await _resume(incoming, bus, changes, session_id, last_event_id)


async def _resume(
    incoming: Incoming, bus: Bus, changes: Changes, session_id: str, last_event_id: str
) -> None:
    stream_id, _, sequence = last_event_id.removeprefix(PREFIX).rpartition(".")
    stream = EventStream(incoming.send)
    topic = _topic(session_id, stream_id[:40])
    after = int(sequence) if sequence.isdecimal() and len(sequence) < 20 else 0

    async def forward() -> None:
        async with bus.subscribe(topic, after=after) as events:
            async for event in events:
                event_id = f"{PREFIX}{stream_id}.{event.sequence}"
                await stream.write(frame(event.payload[1:], event_id=event_id))
                if event.payload[:1] == _LAST:
                    return

    await stream.open()
    ends = [
        asyncio.create_task(forward()),
        asyncio.create_task(incoming.disconnected()),
        asyncio.create_task(changes.closed()),
    ]
    try:
        async with asyncio.timeout(RESUME_SECONDS):
            while not any(end.done() for end in ends):
                await asyncio.wait(
                    ends, timeout=KEEP_ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                if not any(end.done() for end in ends):
                    await stream.keep_alive()
    except TimeoutError:
        pass
    finally:
        for end in ends:
            end.cancel()
        results = await asyncio.gather(*ends, return_exceptions=True)
    failure = results[0]
    if isinstance(failure, Exception) and not isinstance(
        failure, (BusInterrupted, BusUnavailable, SubscriberTooSlow)
    ):
        raise failure
    await stream.end()
