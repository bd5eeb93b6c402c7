"""Streams stored rows exactly as they were hashed, from either database, in one snapshot."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msil_mcp.audit.chain import Scalar
from msil_mcp.audit.records import RECORD_COLUMNS
from msil_mcp.db.database import Database

CHUNK = 4_000
_TIMES = frozenset({"at", "started_at"})
_FLAGS = frozenset({"idempotency", "replayed", "closed"})
Row = tuple[Scalar, ...]


class StoredRows:
    """A read-only transaction over the audit tables; values come in their canonical form."""

    def __init__(self, cursor: Any, *, sqlite: bool) -> None:
        self._cursor = cursor
        self._sqlite = sqlite
        self._records = ", ".join(map(self._canonical, RECORD_COLUMNS))

    def all(self, table: str, *columns: str) -> list[Row]:
        """Every row of a small table, ordered by its first column."""
        listed = ", ".join(map(self._canonical, columns))
        return self._fetch(f"SELECT {listed} FROM {table} ORDER BY {columns[0]}")  # noqa: S608

    def writers(self) -> list[str]:
        """Every writer that any of the tables speaks of."""
        rows = self._fetch(
            "SELECT writer_id FROM audit_records UNION SELECT writer_id FROM audit_chains "
            "UNION SELECT writer_id FROM audit_subjects"
        )
        return sorted(str(row[0]) for row in rows)

    def records(self, writer_id: str) -> Iterator[list[Row]]:
        """Chunks of a chain's records in sequence, from `format` to `hash`."""
        sequence = RECORD_COLUMNS.index("sequence")
        return self._chunks("audit_records", self._records, writer_id, sequence)

    def records_after(self, writer_id: str, sequence: int, *, limit: int) -> list[Row]:
        """The next records of a chain, in sequence, from `format` to `hash`."""
        mark = "?" if self._sqlite else "%s"
        return self._fetch(
            f"SELECT {self._records} FROM audit_records WHERE writer_id = {mark} "  # noqa: S608
            f"AND sequence > {mark} ORDER BY sequence LIMIT {limit}",
            (writer_id, sequence),
        )

    def subjects(self, writer_id: str) -> Iterator[list[Row]]:
        """Chunks of (sequence, name, value) in sequence."""
        return self._chunks("audit_subjects", "sequence, name, value", writer_id, 0)

    def _chunks(
        self, table: str, columns: str, writer_id: str, sequence: int
    ) -> Iterator[list[Row]]:
        mark = "?" if self._sqlite else "%s"
        low: Scalar = -(1 << 62)
        while True:
            # Two bounds rather than a limit: a sequence's rows must not be torn apart.
            bounds = self._fetch(
                f"SELECT max(sequence) FROM (SELECT sequence FROM {table} WHERE "  # noqa: S608
                f"writer_id = {mark} AND sequence > {mark} ORDER BY sequence LIMIT {CHUNK}) AS t",
                (writer_id, low),
            )
            high = bounds[0][0]
            if high is None:
                return
            rows = self._fetch(
                f"SELECT {columns} FROM {table} WHERE writer_id = {mark} "  # noqa: S608
                f"AND sequence > {mark} AND sequence <= {mark} ORDER BY sequence",
                (writer_id, low, high),
            )
            yield rows
            low = rows[-1][sequence]

    def _fetch(self, statement: str, parameters: tuple[Scalar, ...] = ()) -> list[Row]:
        self._cursor.execute(statement, parameters)
        rows: list[Row] = self._cursor.fetchall()
        return rows

    def _canonical(self, column: str) -> str:
        if self._sqlite:
            return column  # already stored in the canonical form
        if column in _TIMES:
            return f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"
        return f"{column}::int" if column in _FLAGS else column


@contextmanager
def stored_rows(database: Database) -> Iterator[StoredRows]:
    """One snapshot of the audit tables, on a connection of its own."""
    engine = database.writer_engine()
    try:
        connection = engine.raw_connection()
        driver: Any = connection.driver_connection
        if not database.is_sqlite:
            driver.autocommit = True  # the transaction is begun below, with its own isolation
        cursor = driver.cursor()
        cursor.execute(
            "BEGIN" if database.is_sqlite else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )
        try:
            yield StoredRows(cursor, sqlite=database.is_sqlite)
        finally:
            cursor.execute("ROLLBACK")
            connection.close()
    finally:
        engine.dispose()
