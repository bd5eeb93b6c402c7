"""Server-sent events: framing, and the answer stream that opens only when something is sent."""

from collections.abc import Sequence
from typing import Final

from msil_mcp.mcp.http import Header, Send

EVENT_STREAM: Final[Sequence[Header]] = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
KEEP_ALIVE: Final = b": keep-alive\n\n"
KEEP_ALIVE_SECONDS: Final = 15.0


def frame(message: bytes, *, event_id: str | None = None, retry_ms: int | None = None) -> bytes:
    """One `message` event; an empty message with an id only moves the client's Last-Event-ID."""
    lines = [b"event: message"] if message else []
    if event_id is not None:
        lines.append(b"id: " + event_id.encode())
    if retry_ms is not None:
        lines.append(b"retry: %d" % retry_ms)
    # An upstream's own JSON may hold line breaks between tokens, and a data line ends at one.
    lines.extend(b"data: " + line for line in message.splitlines() or (b"",))
    return b"\n".join(lines) + b"\n\n"


class EventStream:
    """An SSE answer over one request's `send`."""

    is_resumable: bool = False

    def __init__(self, send: Send) -> None:
        self._send = send
        self.is_open = False
        self.is_ended = False

    async def open(self) -> None:
        """Commit to an event stream."""
        self.is_open = True
        await self._send(
            {"type": "http.response.start", "status": 200, "headers": list(EVENT_STREAM)}
        )

    async def write(self, chunk: bytes) -> None:
        """Send framed bytes, opening the stream first if need be."""
        if self.is_ended:
            return
        if not self.is_open:
            await self.open()
        await self._send({"type": "http.response.body", "body": chunk, "more_body": True})

    async def send_message(self, message: bytes) -> None:
        """One message that is not the last."""
        await self.write(frame(message))

    async def finish(self, message: bytes) -> None:
        """The last message, and the end."""
        await self.write(frame(message))
        await self.end()

    async def keep_alive(self) -> None:
        """A comment, so that nothing on the way takes the connection for dead."""
        await self.write(KEEP_ALIVE)

    async def release(self) -> None:
        """End the connection but not the call, where the client can come back for the answer."""

    async def end(self) -> None:
        """No more bytes."""
        if self.is_ended:
            return
        if not self.is_open:
            await self.open()
        self.is_ended = True
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})
