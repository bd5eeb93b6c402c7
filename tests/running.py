"""Real servers for tests: an ASGI app under uvicorn in a thread, and the whole product."""

import asyncio
import socket
import sqlite3
import threading
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import msgspec
import uvicorn
from fastapi import FastAPI
from sqlalchemy import create_engine, text

from booking_api.app import openapi_document
from msil_mcp.cli.demo import BUNDLE
from msil_mcp.db.database import Database, database_url
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.identity.keys import PURPOSE, NewKey, issue_key
from msil_mcp.identity.roles import ensure_roles, expose
from msil_mcp.main import create_app
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings
from msil_mcp.tools.importing import import_document, prepare_import
from msil_mcp.tools.plan import ImportRequest

Result = TypeVar("Result")


class Server(uvicorn.Server):
    """Uvicorn that says when it has started, or failed to."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="on", timeout_graceful_shutdown=2
        )
        super().__init__(config)
        self.settled = threading.Event()
        self.loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self.loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        finally:
            self.settled.set()

    def submit(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run something on the server's own event loop."""
        assert self.loop is not None
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def serving(
    app: Any, *, port: int = 0, listener: socket.socket | None = None
) -> Iterator[tuple[str, Server]]:
    """The app on a loopback port, or where somebody listens already: its URL, and the server."""
    listener = listener or socket.create_server(("127.0.0.1", port))
    server = Server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        assert server.settled.wait(30)
        assert server.started, "the server did not start"
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", server
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
        assert not thread.is_alive(), "the server did not stop"


@dataclass
class Booking:
    """The running booking service and its database file."""

    url: str
    file: Path

    def rows(self, booking_id: str) -> list[tuple[Any, ...]]:
        """Straight from its database, past the service."""
        with closing(sqlite3.connect(self.file)) as connection:
            query = "SELECT * FROM bookings WHERE booking_id = ?"
            return connection.execute(query, (booking_id,)).fetchall()


@dataclass
class Product:
    """The running product with the booking tools in force."""

    settings: Settings
    booking_url: str
    url: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    app: FastAPI | None = None
    server: Server | None = None

    def query(self, statement: str, **values: object) -> list[Any]:
        """Straight to the product's database, past the product."""
        url = database_url(self.settings)
        sync = "sqlite+pysqlite" if self.settings.is_sqlite else "postgresql+psycopg"
        engine = create_engine(url.set(drivername=sync))
        with engine.connect() as connection:
            rows = connection.execute(text(statement), values).fetchall()
        engine.dispose()
        return list(rows)

    def headers(self, role: str = "user") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[role]}"}

    async def request(
        self, method: str, path: str, *, role: str | None = "user", **options: Any
    ) -> "Reply":
        headers = {**(self.headers(role) if role else {}), **options.pop("headers", {})}
        async with (
            aiohttp.ClientSession(self.url) as http,
            http.request(method, path, headers=headers, **options) as response,
        ):
            body = await response.read()
            shown = {name.lower(): value for name, value in response.headers.items()}
            return Reply(response.status, shown, body)

    async def call(
        self,
        tool: str,
        arguments: dict[str, Any],
        *,
        role: str = "user",
        key: str | None = None,
        approval: str | None = None,
    ) -> "Reply":
        """A call by the REST door."""
        body: dict[str, Any] = {"arguments": arguments}
        if approval:
            body["approval_id"] = approval
        headers = {"Idempotency-Key": key} if key else {}
        path = f"/api/tools/{tool}/call"
        return await self.request("POST", path, role=role, json=body, headers=headers)


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


ROLES = ("administrator", "integrator", "auditor", "operator", "user")


async def furnish(settings: Settings, *, booking_url: str) -> dict[str, str]:
    """Import and publish the booking tools; a key for each shipped role."""
    database = Database(database_url(settings))
    mac = Keyring.from_settings(settings).mac(PURPOSE)
    request = ImportRequest(
        raw=msgspec.json.encode(openapi_document(server_url=booking_url)),
        source="booking_api",
        bundle=BUNDLE,
        spec=BUNDLE,
        allow_private=True,
        publish=True,
    )
    prepared = await prepare_import(request)
    keys: dict[str, str] = {}
    try:
        async with database.unit_of_work() as session:
            await ensure_roles(session)
            await expose(session, role="user", kind="bundle", target=BUNDLE)
            await import_document(session, prepared, principal=cli_principal())
            for role in ROLES:
                new = NewKey(name=f"test {role}", roles=[role])
                issued = await issue_key(session, new=new, mac=mac, by=cli_principal())
                keys[role] = issued.token
    finally:
        await database.close()
    return keys


@contextmanager
def product(
    settings: Settings, *, booking_url: str, keys: dict[str, str] | None = None, **options: Any
) -> Iterator[Product]:
    """The product on a loopback port; furnished unless keys say that it already is."""
    # Held from the first, so that no other worker takes the port meanwhile.
    listener = socket.create_server(("127.0.0.1", 0))
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    found = keys or asyncio.run(furnish(settings, booking_url=booking_url))
    app = create_app(settings, **options)
    with serving(app, listener=listener) as (url, server):
        yield Product(settings, booking_url, url=url, keys=found, app=app, server=server)
