"""A small application with identity's routes alone, on both databases."""

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx2
import psycopg
import pytest
from fastapi import FastAPI
from sqlalchemy.engine import URL, make_url

from identity.provider import running_provider
from msil_mcp.db.database import Base, Database
from msil_mcp.db.generation import read_generation
from msil_mcp.egress import Egress
from msil_mcp.identity.api import router
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.identity.keys import NewKey, issue_key
from msil_mcp.identity.passwords import Passwords
from msil_mcp.identity.provider_requests import provider_documents
from msil_mcp.identity.roles import ensure_roles
from msil_mcp.identity.snapshot import IdentitySnapshot, load_identity
from msil_mcp.identity.users import create_user
from msil_mcp.identity.wiring import build_identity
from msil_mcp.principal import BUILTIN_ROLES
from msil_mcp.problems import install_problem_handlers
from msil_mcp.sealing import Keyring, make_secret
from msil_mcp.settings import Settings

POSTGRES = "postgresql://postgres@127.0.0.1:5432/postgres"
BASE_URL = "http://127.0.0.1:8000"
PASSWORD = "a long enough secret"
TABLES = [
    "users",
    "api_keys",
    "roles",
    "exposures",
    "ended_sessions",
    "used_sign_ins",
    "snapshot_generation",
]


@pytest.fixture
def quick_passwords():
    return Passwords(memory_kib=64, passes=1)


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
async def made_database(request, tmp_path_factory, anyio_backend):
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("identity") / "test.db"
        database = Database(URL.create("sqlite+aiosqlite", database=str(path)))
        await create_tables(database)
        yield database
        await database.close()
        return
    name = f"identity_{uuid4().hex}"
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


@pytest.fixture
async def database(made_database):
    async with made_database.unit_of_work() as session:
        for name in ("api_keys", "exposures", "roles", "users", "ended_sessions", "used_sign_ins"):
            await session.execute(Base.metadata.tables[name].delete())
        await session.execute(Base.metadata.tables["snapshot_generation"].delete())
    return made_database


@pytest.fixture(scope="session")
async def made_provider(anyio_backend):
    async with running_provider() as provider:
        yield provider


@pytest.fixture
def provider(made_provider):
    made_provider.reset()
    return made_provider


@pytest.fixture(scope="session")
async def egress(anyio_backend):
    egress = Egress(Settings(_env_file=None, https_proxy=""))
    await egress.start()
    yield egress
    await egress.close()


@pytest.fixture
def fetch(egress):
    return provider_documents(egress)


@dataclass
class World:
    """One process: its application, a client, and what it recorded."""

    app: FastAPI
    client: httpx2.AsyncClient
    settings: Settings
    database: Database | None
    audited: list[dict] = field(default_factory=list)

    @property
    def identity(self):
        return self.app.state.identity

    async def refresh(self):
        if self.database is None:
            self.identity.authenticator.use(IdentitySnapshot(roles=BUILTIN_ROLES))
            return
        async with self.database.reading() as session:
            self.identity.authenticator.use(await load_identity(session))

    async def generation(self):
        async with self.database.reading() as session:
            return await read_generation(session)

    async def key(self, *, roles=("administrator",), **facts):
        """Headers that carry a fresh key of these roles."""
        new = NewKey(name="test", roles=list(roles), **facts)
        async with self.database.unit_of_work() as session:
            issued = await issue_key(
                session, new=new, mac=self.identity.key_mac, by=cli_principal()
            )
        await self.refresh()
        return {"Authorization": f"Bearer {issued.token}"}

    async def user(self, username="asha", *, roles=("user",), password=PASSWORD):
        encoded = await self.identity.passwords.hash(password)
        async with self.database.unit_of_work() as session:
            user = await create_user(
                session,
                username=username,
                display_name=username.title(),
                roles=list(roles),
                password_hash=encoded,
                by=cli_principal(),
            )
        await self.refresh()
        return user

    async def login(self, username="asha", password=PASSWORD, **headers):
        body = {"username": username, "password": password}
        return await self.client.post("/api/auth/login", json=body, headers=headers)


def opener(database, passwords, egress):
    secret = make_secret()

    @asynccontextmanager
    async def start(*, base_url=BASE_URL, secret_key=secret, **changes):
        settings = Settings(_env_file=None, secret_key=secret_key, public_url=base_url, **changes)
        app = FastAPI()
        install_problem_handlers(app)
        app.include_router(router)
        transport = httpx2.ASGITransport(app=app)
        async with (
            httpx2.AsyncClient(transport=transport, base_url=base_url) as client,
        ):
            world = World(app=app, client=client, settings=settings, database=database)

            async def audit(**entry):
                world.audited.append(entry)

            keyring = Keyring.from_settings(settings)
            identity = build_identity(settings, keyring, egress=egress, passwords=passwords)
            app.state.database = database
            app.state.identity = identity
            app.state.authenticator = identity.authenticator
            app.state.announce = world.refresh
            app.state.admin_audit = audit
            if database is not None:
                async with database.unit_of_work() as session:
                    await ensure_roles(session)
            await world.refresh()
            yield world

    return start


@pytest.fixture
def open_world(database, quick_passwords, egress):
    """Start a process over the database; several may run at once."""
    return opener(database, quick_passwords, egress)


@pytest.fixture
def open_door(quick_passwords, egress):
    """Start a process that only authenticates, with the builtin roles and no database."""
    return opener(None, quick_passwords, egress)


@pytest.fixture
async def world(open_world):
    async with open_world() as world:
        yield world
