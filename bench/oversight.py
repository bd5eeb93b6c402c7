"""What administrators wait for: analytics and the audit of a million calls, a list of 5,000 tools.

`python -m bench.oversight`. In this process, over a fresh SQLite file and a database of PostgreSQL;
seconds, the median of several rounds. The calls are of the last 24 hours.
"""

import asyncio
import hashlib
import json
import random
import shutil
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import psycopg

from bench.databases import BACKINGS
from bench.document import write_document
from bench.machine import describe_machine
from bench.processes import NotMeasured
from msil_mcp.analytics import reports
from msil_mcp.analytics.ranges import TOOL_BUCKETS, AskedRange
from msil_mcp.analytics.summaries import summarise, summary_of
from msil_mcp.audit.records import RECORD_COLUMNS
from msil_mcp.audit.search import AuditRecords, Filters
from msil_mcp.db.database import Database, database_url, utc_now
from msil_mcp.db.migrate import upgrade
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.main import metadata
from msil_mcp.settings import Settings
from msil_mcp.tools.importing import import_document, prepare_import
from msil_mcp.tools.listing import ToolFilters, ToolListing
from msil_mcp.tools.plan import ImportRequest

OUT = Path(__file__).with_name("out")
CALLS = 1_000_000
TOOLS = 5_000
HOURS = 24
ROUNDS = 3
Figure = tuple[str, float, str]


def measure_oversight(folder: Path) -> int:
    """Print and store the figures of both databases."""
    work = folder / "oversight"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    print("{processor}, Python {python}; {calls:,} calls in {hours} h, {tools:,} tools".format(
        **describe_machine(), calls=CALLS, hours=HOURS, tools=TOOLS
    ))  # fmt: skip
    missing, found = 0, {}
    for name, backing in BACKINGS.items():
        try:
            with backing(work / name) as there:
                settings = Settings(_env_file=None, **_as_fields(there.environment))
                found[name] = asyncio.run(_measure(settings))
        except NotMeasured as error:
            print(f"{name}: not measured: {error}")
            missing = 1
            continue
        print(name)
        for label, value, unit in found[name]:
            print(f"  {label:<48} {value:>8.3f} {unit}")
    shutil.rmtree(work, ignore_errors=True)
    (folder / "oversight.json").write_text(json.dumps(found, indent=1) + "\n")
    return missing


def _as_fields(environment: Mapping[str, str]) -> dict[str, Any]:
    return {
        name.removeprefix("MSIL_").lower(): Path(value) if name == "MSIL_DATA_DIR" else value
        for name, value in environment.items()
    }


async def _measure(settings: Settings) -> list[Figure]:
    database = Database(database_url(settings))
    await asyncio.to_thread(upgrade, database, metadata)
    await asyncio.to_thread(_store_calls, database)
    try:
        figures = [
            await _timed("analytics, 24 h, nothing summarised", _analytics(database), rounds=1)
        ]
        started = time.perf_counter()
        await summarise(database, kept_days=365)
        figures.append(("summarising 24 hours", time.perf_counter() - started, "s"))
        figures += [
            await _timed("analytics, 24 h", _analytics(database)),
            await _timed("analytics, 31 days", _analytics(database, hours=31 * 24)),
            await _timed("analytics of one tool, 24 h", _analytics(database, tool="tool_0")),
            await _timed("audit, newest page", _audit(database, Filters())),
            await _timed("audit, one tool", _audit(database, Filters(tool="tool_250"))),
            await _timed("audit, words that are there", _audit(database, Filters(search="BK26"))),
            await _timed("audit, words that are not", _audit(database, Filters(search="zebra"))),
        ]
        return [*figures, *await _tools(database, settings)]
    finally:
        await database.close()


async def _tools(database: Database, settings: Settings) -> list[Figure]:
    folder = settings.data_dir / "document"
    folder.mkdir(parents=True, exist_ok=True)
    document = write_document(folder, operations=TOOLS, base_url="http://127.0.0.1:9")
    request = ImportRequest(
        raw=document.read_bytes(), source="bench", bundle="bench", allow_private=True, publish=True
    )
    started = time.perf_counter()
    prepared = await prepare_import(request)
    read = time.perf_counter() - started
    async with database.unit_of_work() as session:
        await import_document(session, prepared, principal=cli_principal())
    figures: list[Figure] = [
        ("reading a document of 5,000 operations", read, "s"),
        ("importing and publishing them", time.perf_counter() - started - read, "s"),
    ]

    def listed(wanted: ToolFilters, limit: int) -> Callable[[], Awaitable[object]]:
        async def page() -> object:
            async with database.reading() as session:
                return await ToolListing(session).page(wanted, cursor=None, limit=limit)

        return page

    return [
        *figures,
        await _timed("200 tools of 5,000", listed(ToolFilters(), 200)),
        await _timed("tools found by words", listed(ToolFilters(search="42"), 50)),
    ]


async def _timed(
    label: str, work: Callable[[], Awaitable[object]], *, rounds: int = ROUNDS
) -> Figure:
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        await work()
        times.append(time.perf_counter() - started)
    return label, median(times), "s"


def _analytics(
    database: Database, *, hours: int = HOURS, tool: str | None = None
) -> Callable[[], Awaitable[object]]:
    async def work() -> object:
        asked = AskedRange(utc_now() - timedelta(hours=hours), utc_now())
        looked = asked.in_buckets(TOOL_BUCKETS) if tool else asked.in_buckets()
        async with database.reading() as session:
            summary = await summary_of(session, looked, tool=tool)
        return reports.series_of(summary, looked), reports.totals_of(summary)

    return work


def _audit(database: Database, wanted: Filters) -> Callable[[], Awaitable[object]]:
    async def work() -> object:
        async with database.reading() as session:
            return await AuditRecords(session).matching(wanted)

    return work


def _store_calls(database: Database) -> None:
    columns = ", ".join(RECORD_COLUMNS)
    if database.is_sqlite:
        marks = ", ".join("?" * len(RECORD_COLUMNS))
        with sqlite3.connect(database.url.database or "") as connection:
            connection.execute("PRAGMA synchronous = OFF")
            connection.executemany(
                f"INSERT INTO audit_records ({columns}) VALUES ({marks})", _calls(sqlite=True)
            )
        return
    url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        with connection.cursor().copy(f"COPY audit_records ({columns}) FROM STDIN") as copy:
            for row in _calls(sqlite=False):
                copy.write_row(row)
        connection.execute("VACUUM ANALYZE audit_records")


def _calls(*, sqlite: bool) -> Iterator[tuple[Any, ...]]:
    chance, now = random.Random(7), datetime.now(UTC)
    tools = [f"tool_{number}" for number in range(300)]
    weights = [1 / (number + 1) for number in range(300)]
    arguments = json.dumps({"registration": "MH12******", "notes": "x" * 120})
    result = json.dumps({"booking": "BK26******", "lines": ["y" * 60] * 5})
    for number in range(CALLS):
        at = now - timedelta(hours=HOURS) * (1 - number / CALLS)
        outcome, rule, error = _ending(chance)
        digest = hashlib.sha256(str(number).encode()).hexdigest()
        caller = chance.randrange(200)
        facts: dict[str, Any] = dict.fromkeys(RECORD_COLUMNS) | {
            "format": 1,
            "writer_id": "bench",
            "sequence": number + 1,
            "prev_hash": digest,
            "key_id": "bench",
            "at": at.replace(tzinfo=None).isoformat(" ", "microseconds") if sqlite else at,
            "kind": "tool.call",
            "action": "tools/call",
            "outcome": outcome,
            "rule": rule,
            "error": error,
            "principal_id": f"user:{caller}",
            "principal_kind": "user",
            "principal_name": f"Person {caller}",
            "roles": '["user"]',
            "origin": chance.choice(("mcp", "mcp", "mcp", "chat", "rest")),
            "tool": chance.choices(tools, weights)[0],
            "tool_hash": digest,
            "bundle": "service_booking",
            "risk": "read",
            "arguments_hash": digest,
            "arguments": arguments,
            "result": result,
            "execution_id": digest[:30],
            "idempotency": False,
            "correlation_id": digest[:32],
            "upstream_status": 200,
            "duration_ms": chance.lognormvariate(4, 0.8),
            "replayed": False,
            "hash": digest,
        }
        yield tuple(facts[name] for name in RECORD_COLUMNS)


def _ending(chance: random.Random) -> tuple[str, str | None, str | None]:
    share = chance.random()
    if share < 0.93:
        return "succeeded", None, None
    if share < 0.96:
        return "denied", chance.choice(("validate", "limit")), "rate_limited"
    if share < 0.99:
        return "failed", "upstream", chance.choice(("upstream_timeout", "upstream_unreachable"))
    return "needs_confirmation", "approve", None


if __name__ == "__main__":
    OUT.mkdir(exist_ok=True)
    sys.exit(measure_oversight(OUT))
