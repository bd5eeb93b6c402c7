import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from sqlalchemy import delete
from sqlalchemy.engine import URL, make_url

from msil_mcp.db.database import Base, Database
from msil_mcp.jobs import Job, JobRunner
from msil_mcp.jobs.models import Job as JobTable

SERVER = "postgresql://postgres@127.0.0.1:5432"
Running = Callable[..., Any]


def create_table(url: URL) -> None:
    engine = Database(url).writer_engine()
    Base.metadata.create_all(engine, tables=[JobTable.__table__])
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[URL]:
    name = f"msil_jobs_{os.getpid()}"
    with psycopg.connect(f"{SERVER}/postgres", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        url = make_url(f"postgresql+psycopg://postgres@127.0.0.1:5432/{name}")
        create_table(url)
        yield url
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> URL:
    path = tmp_path_factory.mktemp("jobs") / "jobs.db"
    url = URL.create("sqlite+aiosqlite", database=str(path))
    create_table(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    database = Database(request.getfixturevalue(name), pool_size=5)
    async with database.unit_of_work() as session:
        await session.execute(delete(Job))
    yield database
    await database.close()


@pytest.fixture
def running(database: Database) -> Running:
    """Runs a runner for a while: `async with running(handlers, …) as runner`."""

    @asynccontextmanager
    async def run(
        handlers: Mapping[str, Any], *, every: Mapping[str, float] | None = None, **options: Any
    ) -> AsyncIterator[JobRunner]:
        facts: dict[str, Any] = {
            "owner": "test",
            "poll_seconds": 0.05,
            "backoff_seconds": (0.01, 0.05),
        }
        runner = JobRunner(database, handlers, **(facts | options))
        for kind, seconds in (every or {}).items():
            runner.every(seconds, kind)
        await runner.start()
        try:
            yield runner
        finally:
            await runner.stop(grace_seconds=0.5)

    return run
