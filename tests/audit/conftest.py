"""The audit tables alone, on both databases, and a trail over them."""

from uuid import uuid4

import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL, make_url

from audit.trails import TABLES, WORK, execute
from msil_mcp.audit.api import router
from msil_mcp.audit.trail import Audit
from msil_mcp.db.database import Base, Database
from msil_mcp.errors import Unauthenticated
from msil_mcp.principal import Principal
from msil_mcp.problems import install_problem_handlers
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
async def made_database(request, tmp_path_factory, anyio_backend):
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("audit") / "test.db"
        database = Database(URL.create("sqlite+aiosqlite", database=str(path)))
        await create_tables(database)
        yield database
        await database.close()
        return
    name = f"audit_{uuid4().hex}"
    async with await psycopg.AsyncConnection.connect(POSTGRES, autocommit=True) as connection:
        await connection.execute(f'CREATE DATABASE "{name}"')
        database = Database(make_url(POSTGRES).set(drivername="postgresql+psycopg", database=name))
        try:
            await create_tables(database)
            yield database
        finally:
            await database.close()
            await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


async def create_tables(database):
    tables = [Base.metadata.tables[name] for name in TABLES]
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: Base.metadata.create_all(sync, tables=tables))
        await connection.run_sync(WORK.metadata.create_all)


@pytest.fixture
async def database(made_database):
    await execute(made_database, *(f"DELETE FROM {name}" for name in (*TABLES, WORK.name)))
    return made_database


@pytest.fixture
def keyring():
    return Keyring([b"k" * 32])


@pytest.fixture
def troubles():
    """What the trail told of rows that failed and of alterations."""
    return []


@pytest.fixture
async def audit(database, keyring, troubles):
    trail = Audit(
        database=database,
        keyring=keyring,
        settings=Settings(),
        on_failure=lambda rows: troubles.append(("failed", rows)),
        on_alteration=lambda: troubles.append(("altered",)),
    )
    await trail.start()
    yield trail
    await trail.close()


@pytest.fixture
async def client(audit):
    app = FastAPI()
    app.include_router(router)
    install_problem_handlers(app)
    app.state.audit = audit
    app.state.database = audit.database
    app.state.authenticator = ByHeader()
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://audit.test") as client:
        client.headers["X-Permissions"] = "audit:read audit:export"
        yield client


class ByHeader:
    """A caller with the permissions that a header names."""

    async def authenticate(self, headers, /):
        if "x-permissions" not in headers:
            raise Unauthenticated("Say who you are.")
        return Principal(
            id="user:1",
            kind="user",
            name="Auditor",
            roles=frozenset({"auditor"}),
            permissions=frozenset(headers["x-permissions"].split()),
        )
