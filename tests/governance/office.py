"""A small service behind the product that answers what a test tells it to, and remembers."""

import json
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

TEXT = {"type": "string"}
NAME = {"type": "string", "x-msil-pii": "name"}
IDEMPOTENT = {"name": "Idempotency-Key", "in": "header", "schema": TEXT}


@dataclass
class Asked:
    """One request that reached the service."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Office:
    """An ASGI app; `answer` is what it says next, `held` keeps requests waiting until it is set."""

    answer: tuple[int, bytes] = (200, b"{}")
    drops: bool = False
    asked: list[Asked] = field(default_factory=list)
    arrived: threading.Event = field(default_factory=threading.Event)
    held: threading.Event | None = None

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return await self._live(receive, send)
        body = (await receive()).get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        path = scope["raw_path"].decode()
        self.asked.append(Asked(scope["method"], path, headers, body))
        self.arrived.set()
        if self.drops:
            raise ConnectionResetError
        status, answer = self.answer
        head = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": head})
        await send({"type": "http.response.body", "body": answer})
        return None

    async def _live(self, receive: Any, send: Any) -> None:
        while True:
            kind = (await receive())["type"]
            await send({"type": f"{kind}.complete"})
            if kind.endswith("shutdown"):
                return

    def says(self, value: object, *, status: int = 200) -> None:
        """Answer this from now on; bytes as they are."""
        raw = value if isinstance(value, bytes) else msgspec.json.encode(value)
        self.answer, self.drops = (status, raw), False


def document(url: str, *, note: str = "Look a paper up", **extra: object) -> bytes:
    """Three operations: a read, a write that may be repeated, and one that may not."""
    paper = {"type": "object", "properties": {"title": TEXT, "copies": {}}}
    body = {"content": {"application/json": {"schema": paper}}}
    person = [{"name": "person", "in": "path", "required": True, "schema": NAME}]
    paths: dict[str, Any] = {
        "/papers/{paper}": {"get": _operation("get_paper", note, [_path("paper")])},
        "/papers": {"post": _operation("file_paper", "File a paper", [IDEMPOTENT], body)},
        "/stamps": {"post": _operation("stamp_paper", "Stamp a paper", [], body)},
        "/people/{person}": {"put": _operation("greet_person", "Greet", person)},
    }
    root = {
        "openapi": "3.1.0",
        "info": {"title": "Office", "version": "1"},
        "servers": [{"url": url}],
        "paths": paths,
        **extra,
    }
    return json.dumps(root).encode()


def _path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": TEXT}


def _operation(
    name: str, summary: str, parameters: list[Any], body: object = None
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "parameters": parameters,
        "responses": {"200": {"description": "Done"}},
    }
    if body is not None:
        made["requestBody"] = body
    return made
