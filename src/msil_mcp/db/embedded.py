"""Connections to the embedded database that visit their thread once a statement.

aiosqlite visits it four times (to make a cursor, execute, fetch, close), and each visit wakes two
threads, which costs more than most statements do.
"""

import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Self

import aiosqlite
from sqlalchemy.engine import URL
from typing_extensions import override

ROWS_A_CHUNK: Final = 64
Row = tuple[Any, ...]


class Connection(aiosqlite.Connection):
    """A driver's connection, for SQLAlchemy's adapter alone."""

    @override
    def cursor(self) -> "Cursor":  # type: ignore[override]
        return Cursor(self)


class Cursor:
    """What SQLAlchemy's adapter uses of a driver's cursor; all rows are fetched at once."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: Sequence[Row] = ()
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    async def __aenter__(self) -> Self:
        return self

    async def execute(self, sql: str, parameters: Iterable[Any] = ()) -> Self:
        """Execute and fetch."""
        return await self._visit(lambda cursor: cursor.execute(sql, tuple(parameters)))

    async def executemany(self, sql: str, parameters: Iterable[Iterable[Any]]) -> Self:
        """Execute for each set of parameters."""
        return await self._visit(lambda cursor: cursor.executemany(sql, map(tuple, parameters)))

    async def fetchall(self) -> Sequence[Row]:
        """What was fetched."""
        rows, self._rows = self._rows, ()
        return rows

    async def close(self) -> None:
        """It was closed when it was read."""

    async def _visit(self, work: Callable[[sqlite3.Cursor], object]) -> Self:
        def visit() -> None:
            cursor = self._connection._conn.cursor()  # noqa: SLF001 as aiosqlite's own cursor
            try:
                work(cursor)
                if cursor.description:
                    self._rows = cursor.fetchall()
                self.description = cursor.description
                self.rowcount, self.lastrowid = cursor.rowcount, cursor.lastrowid
            finally:
                cursor.close()

        await self._connection._execute(visit)  # type: ignore[no-untyped-call] # noqa: SLF001
        return self


def connecting(url: URL) -> Callable[[], Awaitable[Connection]]:
    """How an engine makes connections to the file."""
    arguments, options = url.get_dialect()().create_connect_args(url)
    opened: Callable[..., sqlite3.Connection] = sqlite3.connect

    async def connect() -> Connection:
        connection = Connection(lambda: opened(*arguments, **options), ROWS_A_CHUNK)
        # A program that forgot to close it ends all the same.
        connection._thread.daemon = True  # noqa: SLF001
        await connection
        return connection

    return connect
