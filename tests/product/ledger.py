"""An upstream of the tests' own: a ledger that counts what it was asked and what it has done.

Entries may be written where keys are honoured and where they are not; a held ledger does what it
is asked and then keeps its answer back.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from running import Product, serving

BUNDLE = "ledger"
KEPT, PLAIN, READ = "add_kept_entry", "add_plain_entry", "read_page"
PATIENCE = 30.0


@dataclass
class Ledger:
    url: str = ""
    requests: list[dict[str, str]] = field(default_factory=list)
    entries: list[str] = field(default_factory=list)
    page: bytes = b'{"page":1}'
    page_type: str = "application/json"
    answered: dict[str, int] = field(default_factory=dict)
    arrived: threading.Event = field(default_factory=threading.Event)
    free: threading.Event = field(default_factory=threading.Event)

    def hold(self) -> None:
        self.arrived.clear()
        self.free.clear()

    def release(self) -> None:
        self.free.set()

    async def add(self, request: Request) -> Response:
        """Write an entry, once for each key where `/kept` is asked."""
        self.requests.append(dict(request.headers))
        text = (await request.json())["text"]
        key = request.headers.get("idempotency-key") if "kept" in request.url.path else None
        number = self.answered.get(key) if key else None
        if number is None:
            self.entries.append(text)
            number = len(self.entries)
            if key:
                self.answered[key] = number
        self.arrived.set()
        await run_in_threadpool(self.free.wait, PATIENCE)
        return JSONResponse({"number": number, "text": text}, status_code=201)

    async def read(self, request: Request) -> Response:
        self.requests.append(dict(request.headers))
        return Response(self.page, media_type=self.page_type)

    def document(self) -> dict[str, Any]:
        """Its OpenAPI document."""
        key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
        number = {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
        body = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["text"],
                        "properties": {"text": {"type": "string"}},
                    }
                }
            },
        }
        created = {"201": {"description": "Written"}}
        return {
            "openapi": "3.1.0",
            "info": {"title": "Ledger", "version": "1.0.0", "description": "Entries, counted."},
            "servers": [{"url": self.url}],
            "paths": {
                "/kept": {
                    "post": {
                        "operationId": KEPT,
                        "summary": "Add an entry once",
                        "parameters": [key],
                        "requestBody": body,
                        "responses": created,
                    }
                },
                "/plain": {
                    "post": {
                        "operationId": PLAIN,
                        "summary": "Add an entry",
                        "requestBody": body,
                        "responses": created,
                    }
                },
                "/pages/{number}": {
                    "get": {
                        "operationId": READ,
                        "summary": "Read a page",
                        "parameters": [number],
                        "responses": {"200": {"description": "A page"}},
                    }
                },
            },
        }


@contextmanager
def running_ledger() -> Iterator[Ledger]:
    ledger = Ledger()
    ledger.release()
    app = Starlette(
        routes=[
            Route("/kept", ledger.add, methods=["POST"]),
            Route("/plain", ledger.add, methods=["POST"]),
            Route("/pages/{number}", ledger.read),
        ]
    )
    with serving(app) as (url, _):
        ledger.url = url
        try:
            yield ledger
        finally:
            ledger.release()


async def publish(product: Product, ledger: Ledger) -> None:
    """Import the ledger's document by REST and let users see it."""
    imported = await product.request(
        "POST",
        f"/api/specs?bundle={BUNDLE}&publish=true&allow_private=true",
        role="administrator",
        json=ledger.document(),
    )
    assert imported.status == 200, imported.body
    exposed = await product.request(
        "POST",
        "/api/roles/exposures",
        role="administrator",
        json={"role": "user", "kind": "bundle", "target": BUNDLE},
    )
    assert exposed.status == 201, exposed.body
