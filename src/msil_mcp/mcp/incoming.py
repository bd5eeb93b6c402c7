"""One admitted and authenticated HTTP request, before anything protocol-specific is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from msil_mcp.errors import MsilError
from msil_mcp.mcp.admission import Accepted, NotAcceptable
from msil_mcp.mcp.exchange import Caller
from msil_mcp.mcp.faults import InvalidParams
from msil_mcp.mcp.http import Header, Receive, Scope, Send, header_lines, send_json
from msil_mcp.mcp.sse import EventStream
from msil_mcp.mcp.wire import RequestId, encode_error, is_identifier

IDEMPOTENCY_META: Final = "msil/idempotencyKey"
MAX_KEY: Final = 200


class InternalError(MsilError):
    """Something here broke; the log has it under the correlation id."""

    def __init__(self, correlation_id: str) -> None:
        super().__init__(case="mcp", correlation_id=correlation_id)


@dataclass(slots=True)
class Incoming:
    """The request and the way back; `headers` are by lower-case name."""

    scope: Scope
    receive: Receive
    send: Send
    headers: dict[str, str]
    caller: Caller
    correlation_id: str
    accepted: Accepted

    def check_acceptable(self) -> None:
        """Raise NotAcceptable when no kind of answer would be understood."""
        if not self.accepted.json and not self.accepted.events:
            raise NotAcceptable("application/json or text/event-stream")

    async def disconnected(self) -> None:
        """Return when the client has closed the connection; the body must have been read."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def send_error(
        self,
        request_id: RequestId | None,
        error: MsilError,
        *,
        status: int,
        code: int | None = None,
        stream: EventStream | None = None,
    ) -> None:
        """The JSON-RPC error, as the last event where a stream is open already."""
        body = encode_error(request_id, error, code=code)
        if stream is not None and stream.is_open:
            await stream.finish(body)
            return
        await send_json(self.send, body, status=status, headers=header_lines(error.headers))

    async def send_result(
        self, *parts: bytes, stream: EventStream | None, headers: Sequence[Header] = ()
    ) -> None:
        """The JSON-RPC response: as JSON, or as the last event of a stream."""
        if stream is not None and (stream.is_open or not self.accepted.json):
            await stream.finish(b"".join(parts))
            return
        await send_json(self.send, *parts, headers=headers)


def idempotency_key(incoming: Incoming, meta: dict[str, Any]) -> str | None:
    """The caller's key from `_meta` or the Idempotency-Key header."""
    key = meta.get(IDEMPOTENCY_META)
    if key is None:
        key = incoming.headers.get("idempotency-key")
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= MAX_KEY:
        raise InvalidParams(f"The idempotency key must be a string of 1 to {MAX_KEY} characters.")
    return key


def progress_token(meta: dict[str, Any]) -> int | str | None:
    """The token that progress notifications carry."""
    token = meta.get("progressToken")
    return token if is_identifier(token) else None
