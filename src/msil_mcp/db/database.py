"""Engine, sessions and units of work over SQLite (embedded) or PostgreSQL (production)."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import structlog
from fastapi import Depends, FastAPI
from sqlalchemy import (
    Connection,
    DateTime,
    Engine,
    MetaData,
    create_engine,
    event,
    func,
    select,
    text,
)
from sqlalchemy.engine import URL, Dialect, make_url
from sqlalchemy.exc import DataError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as WaitedTooLong
from sqlalchemy.ext.asyncio import (
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from msil_mcp.db.embedded import connecting
from msil_mcp.db.replica import Replica
from msil_mcp.errors import MsilError, Unavailable, Unprocessable
from msil_mcp.problems import problem_response
from msil_mcp.settings import Settings

SQLITE_BUSY_MS = 5_000
SQLITE_QUEUE_SECONDS = 30.0
HEALTH_SECONDS = 2.0

log = structlog.get_logger()

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of every slice."""

    metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes on both databases; SQLite stores them without a zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime cannot be stored; give it a zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    @override
    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def utc_now() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)


class DatabaseUnavailable(Unavailable):
    """The database did not answer."""

    slug = "database_unavailable"

    def __init__(self) -> None:
        super().__init__(retry_after=2)


class Unstorable(Unprocessable):
    """Text, a number or a time that no database can keep or look for."""

    slug = "unstorable"


UNSTORABLE: Final = (OverflowError, UnicodeEncodeError)
"""What a driver raises of numbers and times out of range, and of halves of characters."""


class BadDatabaseUrl(MsilError):
    """DATABASE_URL or DATABASE_READ_URL names something this product cannot use."""

    slug = "bad_database_url"

    def __init__(self, given: str, *, reading: bool = False) -> None:
        super().__init__(case="reading" if reading else "detail", given=given)


def database_url(settings: Settings) -> URL:
    """The configured database with this product's drivers (aiosqlite, psycopg)."""
    if not settings.database_url:
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return URL.create("sqlite+aiosqlite", database=str(settings.data_dir / "msil.db"))
    url = _parsed(settings.database_url)
    backend = url.get_backend_name()
    driver = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+psycopg"}.get(backend)
    if driver is None:
        raise BadDatabaseUrl(f"{backend}:")
    if backend == "sqlite" and url.database in {None, "", ":memory:"}:
        raise BadDatabaseUrl("an SQLite database in memory")
    return url.set(drivername=driver)


def read_url(settings: Settings) -> URL | None:
    """The configured read replica, None where there is none."""
    if not settings.database_read_url:
        return None
    url = _parsed(settings.database_read_url)
    if url.get_backend_name() != "postgresql":
        raise BadDatabaseUrl(f"{url.get_backend_name()}:", reading=True)
    return url.set(drivername="postgresql+psycopg")


def _parsed(url: str) -> URL:
    return make_url(re.sub(r"^postgres://", "postgresql://", url))


class Database:
    """Async sessions for the slices, and a synchronous engine for the writer's own thread.

    `replica_url` names a standby for queries that may be behind. `on_query` hears how long each
    statement took, in seconds; it is called on any thread.
    """

    def __init__(
        self,
        url: URL,
        *,
        replica_url: URL | None = None,
        pool_size: int = 10,
        on_query: Callable[[float], None] | None = None,
    ) -> None:
        self.url = url
        self._on_query = on_query
        self.is_sqlite = url.get_backend_name() == "sqlite"
        # SQLite opens a file for each, and waits for its one lock whatever their number.
        options = {"pool_size": 5, "max_overflow": 10}
        if not self.is_sqlite:
            options = {"pool_size": pool_size, "max_overflow": pool_size // 2}
        self.connections_limit = sum(options.values()) * (1 if replica_url is None else 2)
        if self.is_sqlite:
            self.engine = create_async_engine(url, async_creator=connecting(url), **options)
        else:
            self.engine = create_async_engine(url, pool_pre_ping=True, **options)
        _prepare(self.engine.sync_engine, sqlite=self.is_sqlite, on_query=on_query)
        self.sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._writing = asyncio.Lock()
        self.replica = None if replica_url is None else self._replica(replica_url, options)

    def _replica(self, url: URL, options: dict[str, Any]) -> Replica:
        engine = create_async_engine(
            url, pool_pre_ping=True, execution_options={"postgresql_readonly": True}, **options
        )
        _prepare(engine.sync_engine, sqlite=False, on_query=self._on_query)
        return Replica(engine)

    def writer_engine(self) -> Engine:
        """A separate one-connection engine for a thread that commits in groups."""
        driver = "sqlite+pysqlite" if self.is_sqlite else "postgresql+psycopg"
        engine = create_engine(
            self.url.set(drivername=driver), pool_size=1, max_overflow=0, pool_pre_ping=True
        )
        _prepare(engine, sqlite=self.is_sqlite, on_query=self._on_query)
        return engine

    @asynccontextmanager
    async def unit_of_work(self) -> AsyncIterator[AsyncSession]:
        """One short write transaction: commits at the end, rolls back on any exception."""
        if not self.is_sqlite:
            async with self.sessions() as session, session.begin():
                yield session
            return
        async with self._turn(), self.sessions() as session, session.begin():
            # A deferred transaction that reads first can fail on its first write with no wait.
            await (await session.connection()).exec_driver_sql("BEGIN IMMEDIATE")
            yield session

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """Wait for this process's other writers in order; SQLite's own wait picks any of them."""
        try:
            async with asyncio.timeout(SQLITE_QUEUE_SECONDS):
                await self._writing.acquire()
        except TimeoutError as error:
            raise WaitedTooLong("other transactions of this process took too long") from error
        try:
            yield
        finally:
            self._writing.release()

    @asynccontextmanager
    async def reading(
        self, *, of_one_moment: bool = False, may_lag: bool = False
    ) -> AsyncIterator[AsyncSession]:
        """A session for queries only; nothing is committed.

        With `of_one_moment` all its queries see the same commits, as they always do on SQLite.
        With `may_lag` the read replica answers, where there is one and it does: it may not have
        the last commits yet, so this is for searching and counting, never for deciding.
        """
        if may_lag and self.replica is not None:
            async with self.replica.session() as session:
                if session is not None:
                    yield session
                    return
        async with self.sessions() as session:
            if self.is_sqlite:
                await (await session.connection()).exec_driver_sql("BEGIN")
            elif of_one_moment:
                await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    async def healthy(self) -> bool:
        """Whether the database answers a trivial query within two seconds."""
        return await self.trouble() is None

    async def trouble(self) -> str | None:
        """Why it does not answer a trivial query within two seconds; None when it does."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS), self.engine.connect() as connection:
                await connection.execute(text("SELECT 1"))
        except TimeoutError:
            return f"no answer within {HEALTH_SECONDS:g} seconds"
        except (SQLAlchemyError, OSError) as error:
            said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            return f"{type(error).__name__}: {said}"
        return None

    def connections_active(self) -> int:
        """Connections to the primary checked out now."""
        return int(getattr(self.engine.pool, "checkedout", int)())

    async def close(self) -> None:
        """Close every pooled connection."""
        if self.replica is not None:
            await self.replica.close()
        await self.engine.dispose()


def _prepare(engine: Engine, *, sqlite: bool, on_query: Callable[[float], None] | None) -> None:
    if sqlite:
        event.listen(engine, "connect", _sqlite_pragmas)
    if on_query is None:
        return

    def start(connection: Connection, *_args: object) -> None:
        connection.info["query_started"] = time.perf_counter()

    def stop(connection: Connection, *_args: object) -> None:
        on_query(time.perf_counter() - connection.info["query_started"])

    event.listen(engine, "before_cursor_execute", start)
    event.listen(engine, "after_cursor_execute", stop)


def _sqlite_pragmas(connection: Any, _record: ConnectionPoolEntry) -> None:
    # Autocommit at the driver: transactions are begun by us, with the lock they need.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={SQLITE_BUSY_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


async def take_turn(session: AsyncSession, number: int) -> None:
    """Wait for other transactions with the number; SQLite has one writer at a time anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(select(func.pg_advisory_xact_lock(number)))


@contextmanager
def translated_errors() -> Iterator[None]:
    """Connection failures become DatabaseUnavailable; constraint errors pass through.

    What cannot be stored, or looked for, is Unstorable.
    """
    try:
        yield
    except UNSTORABLE as error:
        raise Unstorable from error
    except SQLAlchemyError as error:
        if isinstance(error, DataError) or isinstance(_cause(error), UNSTORABLE):
            raise Unstorable from error
        if getattr(error, "connection_invalidated", False) or _is_operational(error):
            raise DatabaseUnavailable from error
        raise


async def on_database_error(request: Request, error: Exception) -> Response:
    """For REST routes: 503 with a time to retry while the database is away, 422 for odd values."""
    try:
        with translated_errors():
            raise error
    except (DatabaseUnavailable, Unstorable) as told:
        if isinstance(told, Unstorable):
            log.warning("value_not_storable", error=type(error).__name__, exc_info=error)
        return problem_response(told, request.scope)


def install_database_handlers(app: FastAPI) -> None:
    """What a database says, or cannot be asked, as answers of REST routes."""
    for kind in (SQLAlchemyError, *UNSTORABLE):
        app.add_exception_handler(kind, on_database_error)


def _cause(error: SQLAlchemyError) -> BaseException | None:
    return error.orig if isinstance(error, StatementError) else None


def _is_operational(error: SQLAlchemyError) -> bool:
    return type(error).__name__ in {"OperationalError", "InterfaceError", "TimeoutError"}


def database_of(request: Request) -> Database:
    """The application's database."""
    database: Database = request.app.state.database
    return database


async def get_db(
    database: Annotated[Database, Depends(database_of)],
) -> AsyncIterator[AsyncSession]:
    """A session that commits before the answer is sent; use with `scope="function"`."""
    async with database.unit_of_work() as session:
        yield session
