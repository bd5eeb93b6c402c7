"""The service on a real socket, once on SQLite and once on PostgreSQL, with a clock to set."""

import json
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
import pytest
import uvicorn

from booking_api.app import create_app
from booking_api.identifiers import draw_suffix as draw_random_suffix
from booking_api.schedule import INDIA, SLOT_TIMES, next_open_day
from booking_api.settings import BookingSettings

POSTGRES = "host=127.0.0.1 user=postgres"
MONDAY_MORNING = datetime(2026, 3, 2, 8, 15, tzinfo=INDIA)


class AnnouncingServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.settled = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.settled.set()


@dataclass
class SettableClock:
    now: datetime = MONDAY_MORNING

    def __call__(self) -> datetime:
        return self.now

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        before, self.now = self.now, moment
        try:
            yield
        finally:
            self.now = before


@dataclass
class Service:
    database_url: str
    url: str = ""
    clock: SettableClock = field(default_factory=SettableClock)

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Straight to the database, past the service."""
        if self.database_url.startswith("sqlite"):
            with sqlite3.connect(self.database_url.removeprefix("sqlite:///")) as connection:
                rows = connection.execute(statement).fetchall()
            connection.close()
            return rows
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(statement).fetchall()

    @contextmanager
    def running(
        self, *, draw_suffix: Callable[[], str] = draw_random_suffix
    ) -> Iterator["Service"]:
        """One life of the service; a second one on the same database is a restart."""
        settings = BookingSettings(database_url=self.database_url, _env_file=None)
        app = create_app(settings, clock=self.clock, draw_suffix=draw_suffix)
        listener = socket.create_server(("127.0.0.1", 0))
        server = AnnouncingServer(uvicorn.Config(app, log_level="error", ws="none", lifespan="on"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            assert server.settled.wait(20)
            assert server.started
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            yield self
        finally:
            server.should_exit = True
            thread.join(20)
            listener.close()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: Any


@dataclass
class Client:
    http: aiohttp.ClientSession

    async def send(self, method: str, path: str, **options: Any) -> Answer:
        async with self.http.request(method, path, **options) as response:
            text = await response.text()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.headers.items()},
                json.loads(text) if "json" in response.content_type else text,
            )

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.send("GET", path, headers=headers)

    async def post(self, path: str, body: Any, *, key: str | None = None) -> Answer:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.send("POST", path, json=body, headers=headers)

    async def book(self, order: dict[str, Any], *, key: str | None = None) -> Answer:
        return await self.post("/api/booking/create", order, key=key)


@contextmanager
def scratch_database(backend: str, folder: Path) -> Iterator[str]:
    """The URL of an empty database that is gone afterwards."""
    name = f"booking_{uuid4().hex}"
    if backend == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
        try:
            yield f"postgresql://postgres@127.0.0.1/{name}"
        finally:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture(params=["sqlite", "postgresql"], scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def service(backend: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One running service that tests share; each takes slots of its own."""
    folder = tmp_path_factory.mktemp("booking")
    with scratch_database(backend, folder) as url, Service(url).running() as running:
        yield running


@pytest.fixture
def stopped_service(backend: str, tmp_path: Path) -> Iterator[Service]:
    """A service of the test's own, not started yet."""
    with scratch_database(backend, tmp_path) as url:
        yield Service(url)


@asynccontextmanager
async def _connected(service: Service) -> AsyncIterator[Client]:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(service.url, connector=connector) as http:
        yield Client(http)


@pytest.fixture
def connected() -> Callable[[Service], AbstractAsyncContextManager[Client]]:
    """Opens a client of a running service, with as many connections as it likes."""
    return _connected


@pytest.fixture
async def client(service: Service) -> AsyncIterator[Client]:
    async with _connected(service) as client:
        yield client


def _free_slots() -> Iterator[tuple[date, str]]:
    day = MONDAY_MORNING.date() + timedelta(days=1)
    while day <= MONDAY_MORNING.date() + timedelta(days=80):
        for slot_time in SLOT_TIMES:
            yield day, slot_time
        day = next_open_day(day)


_SLOTS = _free_slots()


@pytest.fixture
def order() -> dict[str, Any]:
    """A booking that succeeds, on a slot nobody else uses."""
    day, slot_time = next(_SLOTS)
    return {
        "customer_mobile": "9876543210",
        "vehicle_registration": "MH12AB1234",
        "dealer_code": "MSIL-PUNE-001",
        "appointment_date": day.isoformat(),
        "appointment_time": slot_time,
        "service_type": "regular",
    }
