"""The database: SQLite (WAL, synchronous FULL) or PostgreSQL behind two session factories."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_LOCK_WAIT_MS: Final = 10_000
_POOL_SIZE: Final = {"sqlite": 5, "postgresql": 15}
# One process at a time creates tables; the number only has to be this service's own.
_SETUP_LOCK: Final = 0x424F4F4B


class Base(DeclarativeBase):
    """Every table of the service."""


@dataclass(frozen=True)
class Database:
    """An engine and its two ways in.

    `reading()` sees one consistent state and takes no lock. `writing.begin()` commits at the end
    of its block; on SQLite it takes the write lock at once, so that a transaction which reads
    before it writes can never be turned away half way.
    """

    engine: AsyncEngine
    reading: async_sessionmaker[AsyncSession]
    writing: async_sessionmaker[AsyncSession]

    async def close(self) -> None:
        """Give every connection back."""
        await self.engine.dispose()


def open_database(url: str) -> Database:
    """Engine and sessions for a URL; connects on first use.

    Raises:
        ValueError: The URL names a database this service does not work on.
    """
    target = _supported(make_url(url))
    backend = target.get_backend_name()
    engine = create_async_engine(
        target, pool_size=_POOL_SIZE[backend], pool_pre_ping=backend == "postgresql"
    )
    if backend == "sqlite":
        _govern_sqlite(engine)
    return Database(
        engine=engine,
        reading=async_sessionmaker(engine, expire_on_commit=False),
        writing=async_sessionmaker(
            engine.execution_options(sqlite_begin="IMMEDIATE"), expire_on_commit=False
        ),
    )


def _supported(url: URL) -> URL:
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise ValueError(
            f"BOOKING_DATABASE_URL starts with {url.drivername}://, which is not supported: use "
            "sqlite:///file or postgresql://user@host/name"
        )
    if driver.startswith("sqlite"):
        if not url.database or ":memory:" in url.database:
            raise ValueError(
                "BOOKING_DATABASE_URL names an SQLite database in memory, which bookings would "
                "not survive: name a file, sqlite:///file"
            )
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    return url.set(drivername=driver)


def _govern_sqlite(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own transaction control leaves reads outside a transaction; SQLAlchemy
        # emits BEGIN instead, see `begin` below.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_LOCK_WAIT_MS}")
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        mode = connection.get_execution_options().get("sqlite_begin", "DEFERRED")
        connection.exec_driver_sql(f"BEGIN {mode}")


async def create_tables(session: AsyncSession) -> None:
    """Make every table that is not there yet, one process at a time."""
    connection = await session.connection()
    if connection.dialect.name == "postgresql":
        lock = text("SELECT pg_advisory_xact_lock(:key)")
        await connection.execute(lock, {"key": _SETUP_LOCK})
    await connection.run_sync(Base.metadata.create_all)


async def ping(database: Database) -> None:
    """One round trip; an error of the driver when the database cannot be reached."""
    async with database.reading() as session:
        await session.execute(text("SELECT 1"))


def insert_if_absent(session: AsyncSession, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """An INSERT that does nothing when any unique constraint already holds such a row.

    On PostgreSQL it waits for a transaction that is inserting the same key just now, and then
    knows; on SQLite the write lock has already done so.
    """
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()
