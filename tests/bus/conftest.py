import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import psycopg
import pytest
from sqlalchemy.engine import URL, make_url

from msil_mcp.bus import Bus, BusEvent, MemoryBus, PostgresBus
from msil_mcp.db.database import Base, Database

SERVER = "postgresql://postgres@127.0.0.1:5432"
BusMaker = Callable[[], Awaitable[Bus]]


@pytest.fixture(scope="session")
def bus_database() -> Iterator[URL]:
    """A PostgreSQL database of this test process with the bus's table."""
    name = f"msil_bus_{os.getpid()}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        url = make_url(f"postgresql+psycopg://postgres@127.0.0.1:5432/{name}")
        engine = Database(url).writer_engine()
        Base.metadata.create_all(engine, tables=[BusEvent.__table__])
        engine.dispose()
        yield url
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def postgres(bus_database: URL) -> AsyncIterator[Callable[[], Awaitable[PostgresBus]]]:
    """Makes buses, each as another server process would have it."""
    made: list[tuple[PostgresBus, Database]] = []

    async def make() -> PostgresBus:
        database = Database(bus_database, pool_size=2)
        bus = PostgresBus(database)
        made.append((bus, database))
        await bus.start()
        return bus

    yield make
    for bus, database in made:
        await bus.close()
        await database.close()


@pytest.fixture(params=["memory", "postgres"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    if request.param == "memory":
        memory = MemoryBus()
        await memory.start()
        yield memory
        await memory.close()
        return
    database = Database(request.getfixturevalue("bus_database"), pool_size=2)
    running = PostgresBus(database)
    await running.start()
    yield running
    await running.close()
    await database.close()
