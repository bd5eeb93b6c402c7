"""What a long conversation and many conversations cost, over PostgreSQL.

Appending to a session of 10,000 messages is compared with appending to an empty one, in turns;
a page of the list is read among 100,000 sessions of one person, beside 10,000 of others.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import text

from bench.databases import postgresql
from bench.report import number, table
from bench.requirements import Verdict, verdict
from msil_mcp.chat.context import Limits
from msil_mcp.chat.messages import Draft
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.session_service import SessionService
from msil_mcp.chat.sessions import SessionFilters
from msil_mcp.db.database import Database, database_url
from msil_mcp.db.migrate import upgrade
from msil_mcp.main import metadata
from msil_mcp.principal import BUILTIN_ROLES, Principal
from msil_mcp.settings import Settings

SESSIONS: Final = 100_000
MESSAGES: Final = 10_000
ROUNDS: Final = 300
ALLOWED_RATIO: Final = 1.2
ALLOWED_LIST_MS: Final = 50.0
EMPTY: Final = "empty"
LONG: Final = "of 10,000 messages"

_SESSIONS = text(
    "INSERT INTO chat_sessions (id, owner_id, title, folded_title, language, pinned, archived,"
    " next_sequence, metadata, created_at, updated_at, active_at, last_message_at) "
    "SELECT to_hex(:base + n), :owner || (n % :owners), 'Service ' || n, 'service ' || n, 'en',"
    " n % 1000 = 0, n % 10 = 0, 1, '{}', at, at, at, at FROM (SELECT n,"
    " timestamptz '2026-01-01' + n * interval '7 seconds' AS at"
    " FROM generate_series(1, :count) AS n) AS made"
)
_MESSAGES = text(
    "INSERT INTO chat_messages (id, session_id, sequence, parent_id, role, status, content,"
    " folded_text, input_tokens, output_tokens, cached_tokens, cost_nanos, created_at) "
    "SELECT to_hex(:base + n), :session, n, CASE WHEN n > 1 THEN to_hex(:base + n - 1) END,"
    " CASE WHEN n % 2 = 1 THEN 'user' ELSE 'assistant' END, 'complete',"
    """ '[{"text":"' || repeat('some words ', 20) || n || '","type":"text"}]',"""
    " repeat('some words ', 20) || n, 100, 50, 0, 45000, now()"
    " FROM generate_series(1, :count) AS n"
)
_HEAD = text(
    "UPDATE chat_sessions SET next_sequence = :count + 1, head_id = to_hex(:base + :count) "
    "WHERE id = :session"
)
_SOME_WORDS = text(
    "INSERT INTO chat_messages (id, session_id, sequence, role, status, content, folded_text,"
    " input_tokens, output_tokens, cached_tokens, cost_nanos, created_at) "
    "SELECT to_hex(:base + row_number() OVER ()), id, 1, 'user', 'complete', '[]',"
    " 'book a service near hinjewadi ' || id, 0, 0, 0, 0, now() FROM chat_sessions"
    " WHERE id <> :long"
)


@dataclass(frozen=True, slots=True)
class SessionFigures:
    """Milliseconds of every round; a listing that was promised says so."""

    appended: Mapping[str, Sequence[float]]
    listed: Mapping[str, tuple[Sequence[float], bool]]

    def text(self) -> str:
        """As tables."""
        appended = [(name, *_shown(values)) for name, values in self.appended.items()]
        listed = [(name, *_shown(values)) for name, (values, _) in self.listed.items()]
        among = f"among {SESSIONS:,} sessions of one person"
        return "\n".join(
            (
                table(("a message added to a session", "p50 ms", "p95 ms"), appended),
                table((among, "p50 ms", "p95 ms"), listed),
            )
        )

    def verdicts(self) -> list[Verdict]:
        """What is promised of them."""
        pairs = zip(self.appended[LONG], self.appended[EMPTY], strict=True)
        ratio = median(long / empty for long, empty in pairs)
        return [
            verdict(
                "a message added to 10,000 over one added to none, median of pairs",
                f"<= {ALLOWED_RATIO}x",
                f"{ratio:.2f}x",
                ratio <= ALLOWED_RATIO,
            ),
            *(
                verdict(
                    f"{name}: P95 among {SESSIONS:,} sessions",
                    f"< {ALLOWED_LIST_MS:g} ms",
                    f"{_p95(values):.1f} ms",
                    _p95(values) < ALLOWED_LIST_MS,
                )
                for name, (values, promised) in self.listed.items()
                if promised
            ),
        ]


def measure_sessions() -> SessionFigures:
    """Fill a database of its own and measure."""
    with tempfile.TemporaryDirectory() as folder, postgresql(Path(folder) / "data") as backing:
        settings = Settings(
            database_url=backing.environment["DATABASE_URL"],
            secret_key=backing.environment["MSIL_SECRET_KEY"],
            _env_file=None,
        )
        database = Database(database_url(settings))
        upgrade(database, metadata)
        return asyncio.run(_measure(database))


async def _measure(database: Database) -> SessionFigures:
    person = Principal(
        id="owner:0",
        kind="user",
        name="bench",
        roles=frozenset({"user"}),
        permissions=BUILTIN_ROLES["user"],
    )
    service = SessionService(database)
    try:
        long = await _fill(service, person)
        appended = await _appending(service, person, long)
        return SessionFigures(appended, await _listing(service, person))
    finally:
        await database.close()


async def _fill(service: SessionService, person: Principal) -> str:
    """Everything there is before the first measurement; returns the long session's id."""
    chat = await service.create(person, title="long")
    base = 1 << 60
    async with service.database.unit_of_work() as session:
        owners: Mapping[str, Any] = {"owner": "owner:", "owners": 1, "count": SESSIONS}
        await session.execute(_SESSIONS, {"base": base, **owners})
        others = {"owner": "other:", "owners": 1000, "count": SESSIONS // 10}
        await session.execute(_SESSIONS, {"base": base + SESSIONS, **others})
        await session.execute(_SOME_WORDS, {"base": 2 * base, "long": chat.id})
        many = {"session": chat.id, "count": MESSAGES, "base": 3 * base}
        await session.execute(_MESSAGES, many)
        await session.execute(_HEAD, many)
    async with service.database.engine.connect() as connection:
        autocommit = await connection.execution_options(isolation_level="AUTOCOMMIT")
        await autocommit.execute(text("VACUUM ANALYZE"))
    return chat.id


async def _appending(
    service: SessionService, person: Principal, long: str
) -> Mapping[str, Sequence[float]]:
    draft = Draft(role="user", parts=(TextPart("Book a service for tomorrow at ten"),))
    times: dict[str, list[float]] = {EMPTY: [], LONG: []}
    for turn in range(ROUNDS + 20):
        empty = (await service.create(person)).id
        turns = [(EMPTY, empty), (LONG, long)]
        for name, session_id in turns if turn % 2 else turns[::-1]:
            took = await _timed(service.add_message(person, session_id, draft))
            if turn >= 20:
                times[name].append(took)
    return times


async def _listing(
    service: SessionService, person: Principal
) -> Mapping[str, tuple[Sequence[float], bool]]:
    deep: list[str | None] = [None]
    for _ in range(20):
        _, cursor = await service.list_sessions(person, cursor=deep[-1], limit=200)
        deep.append(cursor)

    def page(*filters: SessionFilters) -> Callable[[int], Awaitable[object]]:
        chosen = filters[0] if filters else None

        def read(turn: int) -> Awaitable[object]:
            cursor = deep[turn % len(deep)] if chosen is None else None
            return service.list_sessions(person, chosen, cursor=cursor)

        return read

    def recalled(_: int) -> Awaitable[object]:
        return service.context(person, chat.id, Limits(tokens=8_000))

    async def conversation(_: int) -> object:
        return await service.messages(person, chat.id)

    [chat], _ = await service.list_sessions(person, SessionFilters(search="long"), limit=1)
    legs = {
        "list, any page": (page(), ROUNDS, True),
        "list, archived": (page(SessionFilters(shelf="archived")), ROUNDS, True),
        "list, pinned": (page(SessionFilters(pinned=True)), ROUNDS, True),
        "search, common words": (page(SessionFilters(search="hinjewadi")), ROUNDS // 10, False),
        "search, one session": (page(SessionFilters(search="service 77777")), 10, False),
        "search, nothing found": (page(SessionFilters(search="no such words")), 10, False),
        "newest page of 10,000 messages": (conversation, ROUNDS // 3, False),
        "context of 10,000 messages": (recalled, ROUNDS // 3, False),
    }
    found = {}
    for name, (read, rounds, promised) in legs.items():
        await read(0)
        found[name] = ([await _timed(read(turn)) for turn in range(rounds)], promised)
    return found


async def _timed(work: Awaitable[object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    await work
    return (time.perf_counter() - started) * 1000


def _p95(times: Sequence[float]) -> float:
    return sorted(times)[-(-95 * len(times) // 100) - 1]


def _shown(values: Sequence[float]) -> tuple[str, str]:
    return number(median(values)), number(_p95(values))
