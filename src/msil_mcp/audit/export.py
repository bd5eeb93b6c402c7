"""Export as a stream: JSON lines or CSV, each record's columns as they are stored and hashed.

Columns that hold JSON stay texts, because their exact text is what the hash covers; an exported
chain can therefore be verified without this service (see `msil_mcp.audit.chain`).
"""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from msil_mcp.audit.records import RECORD_COLUMNS, AuditRecordRow
from msil_mcp.audit.search import Filters, stream_matching
from msil_mcp.db.database import Database

Format = Literal["jsonl", "csv"]
MEDIA_TYPES: Final[dict[Format, str]] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
}
COLUMNS: Final = ("id", *RECORD_COLUMNS)
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_encoder = msgspec.json.Encoder()


async def export_records(
    database: Database, filters: Filters, kind: Format
) -> AsyncIterator[bytes]:
    """Everything that matches, newest first, in chunks of whole records."""
    if kind == "csv":
        yield (",".join(COLUMNS) + "\r\n").encode()
    encode = _csv_lines if kind == "csv" else _json_lines
    async for rows in stream_matching(database, filters):
        yield encode([_stored(row) for row in rows])


def _stored(row: AuditRecordRow) -> dict[str, Any]:
    return {name: _portable(getattr(row, name)) for name in COLUMNS}


def _portable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    return value


def _json_lines(records: list[dict[str, Any]]) -> bytes:
    return _encoder.encode_lines(records)


def _csv_lines(records: list[dict[str, Any]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerows([_cell(value) for value in record.values()] for record in records)
    return buffer.getvalue().encode()


def _cell(value: Any) -> Any:
    """A value that a spreadsheet will not take for a formula."""
    if isinstance(value, str) and value.startswith(_STARTS_A_FORMULA):
        return "'" + value
    return "" if value is None else value
