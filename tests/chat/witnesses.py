"""What really happened, past the product: what the model meant to say, and what was booked."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BOOK = "/api/booking/create"


@dataclass
class ModelWitness:
    """Around the model: every text it meant to say, whether or not anybody heard it to the end."""

    app: ASGIApp
    texts: set[str] = field(default_factory=set)
    pieces: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said: list[str] = []

        async def heard(message: Message) -> None:
            self.pieces += 1
            said.extend(_deltas(message.get("body", b"")))
            await send(message)

        await self.app(scope, receive, heard)
        self.texts.add("".join(said))


def _deltas(body: bytes) -> list[str]:
    events = [line[6:] for line in body.split(b"\n") if line.startswith(b"data: {")]
    choices = [choice for event in events for choice in msgspec.json.decode(event)["choices"]]
    return [choice["delta"].get("content") or "" for choice in choices]


@dataclass
class BookingWitness:
    """Around the booking service: how often each booking was asked for, by its day and time."""

    app: ASGIApp
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)
    requests: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()

        self.requests += 1

        async def taken() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        await self.app(scope, taken, send)
        if scope["type"] == "http" and scope["path"] == BOOK:
            order: dict[str, Any] = msgspec.json.decode(body)
            self.asked[order["appointment_date"], order["appointment_time"]] += 1
