"""One synchronous connection for the writer's thread, and how each database takes many rows."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from msil_mcp.audit.rows import Insert, Plan, Plans, RowInsert, Update

STATEMENT_SECONDS = 10


class Store:
    """Transactions over a driver connection; statements bypass the ORM and Core for speed.

    Bulk inserts are `executemany` on SQLite and COPY on PostgreSQL, the cheapest of each
    (measured: COPY takes 60 % of the time of pipelined inserts).
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sqlite = engine.dialect.name == "sqlite"
        self._plans = Plans(engine.dialect)
        self._proxied: PoolProxiedConnection | None = None
        self._cursor: Any = None
        driver = engine.dialect.loaded_dbapi
        self._programming_error: type[Exception] = driver.ProgrammingError
        self.integrity_errors: tuple[type[Exception], ...] = (driver.IntegrityError,)
        self.unstorable_errors: tuple[type[Exception], ...] = (
            driver.IntegrityError,
            driver.DataError,
            driver.ProgrammingError,
            driver.NotSupportedError,
            ValueError,
            TypeError,
            KeyError,
            OverflowError,
        )
        self.unavailable_errors: tuple[type[Exception], ...] = (
            driver.Error,
            SQLAlchemyError,
            OSError,
        )

    def blames_the_database(self, error: Exception) -> bool:
        """Whether an error that looks like a bad row says that tables or rights are missing."""
        return isinstance(error, self._programming_error) and bool(getattr(error, "sqlstate", None))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commits at the end; after any error the connection is clean or gone."""
        self._begin()
        try:
            yield
            self._cursor.execute("COMMIT")
        except BaseException:
            self._roll_back()
            raise

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Undoes only what was done inside when it fails."""
        self._cursor.execute("SAVEPOINT one")
        try:
            yield
        except BaseException:
            self._cursor.execute("ROLLBACK TO SAVEPOINT one")
            raise
        self._cursor.execute("RELEASE SAVEPOINT one")

    def insert_many(self, row: Insert, rows: Sequence[tuple[Any, ...]]) -> None:
        """Rows whose values are already as the driver takes them, in the columns of `row`."""
        self._run(self._plans.of(row), rows)

    def write(self, rows: Sequence[RowInsert]) -> None:
        """Rows of any tables, grouped by statement."""
        for plan, bound in self._plans.group(rows).items():
            self._run(plan, bound)

    def update_one(self, update: Update) -> bool:
        """Whether the update found its row."""
        plan = self._plans.of(update)
        self._cursor.execute(plan.sql, plan.bind(update))
        return bool(self._cursor.rowcount == 1)

    def read_one(
        self, table: Table, columns: Sequence[str], key: Mapping[str, str]
    ) -> tuple[Any, ...] | None:
        """The named columns of the row that `key` names."""
        mark = "?" if self._sqlite else "%s"
        where = " AND ".join(f"{name} = {mark}" for name in key)
        self._cursor.execute(
            f"SELECT {', '.join(columns)} FROM {table.name} WHERE {where}",  # noqa: S608 our names
            tuple(key.values()),
        )
        row = self._cursor.fetchone()
        return None if row is None else tuple(row)

    def close(self) -> None:
        """Give the connection back and close it."""
        self._discard()
        self._engine.dispose()

    def _run(self, plan: Plan, rows: Sequence[tuple[Any, ...]]) -> None:
        if plan.copy and not self._sqlite:
            with self._cursor.copy(plan.copy) as copy:
                for row in rows:
                    copy.write_row(row)
        elif len(rows) == 1:
            self._cursor.execute(plan.sql, rows[0])
        else:
            self._cursor.executemany(plan.sql, rows)

    def _begin(self) -> None:
        begin = "BEGIN IMMEDIATE" if self._sqlite else "BEGIN"
        if self._cursor is not None:
            try:
                self._cursor.execute(begin)
            except self.unavailable_errors:
                self._discard()  # closed while it was idle; nothing is lost yet
            else:
                return
        self._connect()
        self._cursor.execute(begin)

    def _connect(self) -> None:
        proxied = self._engine.raw_connection()
        driver: Any = proxied.driver_connection
        if not self._sqlite:
            driver.autocommit = True  # transactions are begun here, as on SQLite
            driver.execute("SET TIME ZONE 'UTC'")
            driver.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'")
        self._proxied, self._cursor = proxied, driver.cursor()

    def _roll_back(self) -> None:
        try:
            if not self._sqlite or self._cursor.connection.in_transaction:
                self._cursor.execute("ROLLBACK")
        except self.unavailable_errors:
            self._discard()

    def _discard(self) -> None:
        proxied, self._proxied, self._cursor = self._proxied, None, None
        if proxied is not None:
            proxied.invalidate()
