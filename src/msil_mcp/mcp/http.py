"""The little of HTTP the endpoint needs, straight on ASGI: no request or response objects."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any, Final

import msgspec

from msil_mcp.errors import ContentTooLarge, MsilError
from msil_mcp.problems import PROBLEM_JSON, problem_document

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Header = tuple[bytes, bytes]

JOINED_BYTES: Final = 64 << 10
_JSON: Final[Header] = (b"content-type", b"application/json")
_EMPTY: Final[Header] = (b"content-length", b"0")
_PROBLEM: Final[Header] = (b"content-type", PROBLEM_JSON.encode())


class ClientGone(Exception):
    """The client closed the connection before its request was complete."""


def read_headers(scope: Scope) -> dict[str, str]:
    """Header values by lower-case name; of repeated lines the last one counts."""
    return {
        name.decode("latin-1"): value.decode("latin-1").strip(" \t")
        for name, value in scope["headers"]
    }


def repeated(scope: Scope, names: Iterable[bytes]) -> str | None:
    """The first of these lower-case names that came on more than one line."""
    present = [name for name, _ in scope["headers"]]
    return next((name.decode() for name in names if present.count(name) > 1), None)


async def read_body(receive: Receive, headers: Mapping[str, str], *, limit: int) -> bytes:
    """The whole body; ContentTooLarge as soon as that is known."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        raise ContentTooLarge(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise ClientGone
        chunk = event.get("body", b"")
        if not event.get("more_body", False):
            if not chunks and len(chunk) <= limit:
                return bytes(chunk)
            chunks.append(chunk)
            break
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            raise ContentTooLarge(limit)
    body = b"".join(chunks)
    if len(body) > limit:
        raise ContentTooLarge(limit)
    return body


async def send_json(
    send: Send, *parts: bytes, status: int = 200, headers: Iterable[Header] = ()
) -> None:
    """A complete JSON answer; large parts are handed on without being copied."""
    size = sum(map(len, parts))
    length = (b"content-length", str(size).encode())
    await send(
        {"type": "http.response.start", "status": status, "headers": [_JSON, length, *headers]}
    )
    if size <= JOINED_BYTES:
        await send({"type": "http.response.body", "body": b"".join(parts)})
        return
    for part in parts[:-1]:
        await send({"type": "http.response.body", "body": part, "more_body": True})
    await send({"type": "http.response.body", "body": parts[-1]})


async def send_empty(send: Send, status: int, *, headers: Iterable[Header] = ()) -> None:
    """An answer without a body."""
    await send({"type": "http.response.start", "status": status, "headers": [_EMPTY, *headers]})
    await send({"type": "http.response.body", "body": b""})


async def send_problem(
    send: Send, error: MsilError, *, correlation_id: str | None, headers: Iterable[Header] = ()
) -> None:
    """An RFC 9457 answer for what is refused before there is a JSON-RPC message."""
    body = msgspec.json.encode(problem_document(error, correlation_id=correlation_id))
    length = (b"content-length", str(len(body)).encode())
    await send(
        {
            "type": "http.response.start",
            "status": error.status,
            "headers": [_PROBLEM, length, *header_lines(error.headers), *headers],
        }
    )
    await send({"type": "http.response.body", "body": body})


def header_lines(headers: Mapping[str, str]) -> list[Header]:
    """Headers as ASGI has them."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
