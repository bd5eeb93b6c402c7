"""Views of usage equal what one would add up by hand; the ledger equals the runs it is made of."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from itertools import combinations, permutations
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text

from databases import settings_for
from msil_mcp.chat.budgets import budget_of
from msil_mcp.chat.errors import RunLost
from msil_mcp.chat.keeping import keep
from msil_mcp.chat.ledger import ModelUsage, user_of
from msil_mcp.chat.limits import Meter
from msil_mcp.chat.models import ChatRun, new_id
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.runs import RunOutcome, reap_run, request_stop
from msil_mcp.chat.session_service import SessionService
from msil_mcp.chat.usage import AMOUNTS, BadRange, By, Range, days, totals, usage_by
from msil_mcp.db.database import Database, utc_now
from msil_mcp.llm.usage import Cost, TokenUsage
from msil_mcp.pagination import BadCursor
from msil_mcp.principal import Principal

FIRST = date(2025, 2, 27)
MODELS = ("gpt-4o-mini", "msil-scripted", "")
COUNTS = st.integers(0, 10**6)
ENTRIES = st.lists(
    st.builds(
        ModelUsage,
        day=st.integers(0, 6).map(lambda number: FIRST + timedelta(days=number)),
        user_id=st.sampled_from(["user:901", "user:902", "key:9", "oidc:https://idp#é"]),
        model=st.sampled_from(MODELS),
        door=st.sampled_from(["chat", "openai"]),
        turns=COUNTS,
        requests=COUNTS,
        input_tokens=st.integers(0, 10**12),
        cached_tokens=st.integers(0, 10**12),
        output_tokens=st.integers(0, 10**12),
        cost_nanos=st.integers(0, 10**15),
        unpriced_requests=COUNTS,
    ),
    max_size=24,
    unique_by=lambda row: (row.day, row.user_id, row.model, row.door),
)
WANTED = st.builds(
    lambda first, length, user, model: Range(
        first=FIRST + timedelta(days=first),
        last=FIRST + timedelta(days=first + length),
        user_id=user,
        model=model,
    ),
    st.integers(-1, 6),
    st.integers(0, 7),
    st.none() | st.sampled_from(["user:901", "key:9", "nobody"]),
    st.none() | st.sampled_from(MODELS),
)
BYS: list[tuple[By, ...]] = [
    order
    for length in (1, 2, 3, 4)
    for chosen in combinations(get_args(By), length)
    for order in permutations(chosen)
]
COLUMN = {"day": "day", "user": "user_id", "model": "model", "door": "door"}


def by_hand(rows: list[ModelUsage], wanted: Range, by: tuple[By, ...]) -> dict[Any, Counter[str]]:
    found: dict[Any, Counter[str]] = {}
    for row in rows:
        if not wanted.first <= row.day <= wanted.last:
            continue
        if wanted.user_id not in {None, row.user_id} or wanted.model not in {None, row.model}:
            continue
        key = tuple(getattr(row, COLUMN[name]) for name in by)
        found.setdefault(key, Counter()).update({name: getattr(row, name) for name in AMOUNTS})
    return found


class Ledger:
    """Fills the ledger again and again, and compares."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def check(
        self, rows: list[ModelUsage], wanted: Range, by: tuple[By, ...], limit: int
    ) -> None:
        expected = by_hand(rows, wanted, by)
        facts = [{column.name: getattr(row, column.name) for column in COLUMNS} for row in rows]
        async with self._database.unit_of_work() as session:
            await session.execute(delete(ModelUsage).where(ModelUsage.day < date(2026, 1, 1)))
            if facts:
                await session.execute(insert(ModelUsage), facts)
        seen: dict[Any, Counter[str]] = {}
        cursor: str | None = None
        async with self._database.reading() as session:
            whole = await totals(session, wanted)
            while True:
                page, cursor = await usage_by(session, wanted, by, cursor=cursor, limit=limit)
                assert len(page) <= limit
                for usage in page:
                    key = tuple(usage.key.values())
                    assert key not in seen
                    seen[key] = Counter(usage.amounts)
                if cursor is None:
                    break
        assert {key: +amounts for key, amounts in seen.items()} == {
            key: +amounts for key, amounts in expected.items()
        }
        assert Counter(whole) == sum(expected.values(), Counter(dict.fromkeys(AMOUNTS, 0)))


COLUMNS = tuple(ModelUsage.__table__.columns)


def test_usage_equals_what_is_recomputed_from_the_rows(database: Database) -> None:
    with asyncio.Runner() as runner:
        own = Database(database.url)
        ledger = Ledger(own)

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(ENTRIES, WANTED, st.sampled_from(BYS), st.integers(1, 9))
        def compare(rows: list[Any], wanted: Range, by: tuple[By, ...], limit: int) -> None:
            runner.run(ledger.check(rows, wanted, by, limit))

        compare()
        runner.run(own.close())


ANSWERS = st.tuples(
    st.just("answer"),
    st.sampled_from(["gpt-4o-mini", "fallback"]),
    st.builds(
        lambda prompt, cached, completion: TokenUsage(
            prompt=prompt, cached=min(prompt, cached), completion=completion
        ),
        *[st.integers(0, 100_000)] * 3,
    ),
    st.none() | st.decimals(0, 5, places=9),
)
STEPS = st.lists(ANSWERS | st.just(("no answer",)) | st.just(("checkpoint",)), max_size=6)
ENDS = st.sampled_from(["succeeded", "failed", "stopped", "interrupted", "died", "let go"])
HISTORIES = st.lists(st.tuples(st.integers(0, 1), STEPS, ENDS), min_size=1, max_size=4)


class Runs:
    """Lives through runs as turns do, and adds their rows up beside the ledger."""

    def __init__(self, service: SessionService, people: list[Principal]) -> None:
        self._service = service
        self._people = people

    async def live(self, who: Principal, steps: list[Any], end: Any) -> None:
        database = self._service.database
        chat = await self._service.create(who)
        hello = (TextPart("hello"),)
        _, run = await self._service.begin_run(who, chat.id, hello, owner="a", lease_seconds=60)
        meter, message_id = Meter(settings_for("sqlite:///unused")), new_id()

        async def kept(**facts: Any) -> None:
            nonlocal run
            run = await keep(
                database,
                run,
                owner="a",
                message_id=message_id,
                parts=hello,
                status="partial",
                meter=meter,
                **facts,
            )

        for step in steps:
            match step:
                case ("answer", model, tokens, cost):
                    meter.before_request("gpt-4o-mini")
                    meter.answered(
                        model=f"{model}-2026", charged_to=model, usage=tokens, cost=Cost(cost)
                    )
                case ("no answer",):
                    meter.before_request("gpt-4o-mini")
                case _:
                    await kept()
        if end == "died":
            async with database.unit_of_work() as session:
                dead = await reap_run(session, run.id, now=utc_now() + timedelta(seconds=61))
            assert dead is not None
            with pytest.raises(RunLost):
                await kept()
        elif end == "let go":
            await kept(waits=True)
            async with database.unit_of_work() as session:
                await request_stop(session, chat.id)
        else:
            await kept(
                outcome=RunOutcome(
                    state=end,
                    usage=meter.usage,
                    model=meter.model,
                    model_requests=meter.model_requests,
                    tool_calls=meter.tool_calls,
                )
            )

    async def compare(self) -> None:
        ids = [user_of(who) for who in self._people]
        async with self._service.database.reading() as session:
            runs = (await session.scalars(select(ChatRun).where(ChatRun.user_id.in_(ids)))).all()
            entries = await session.scalars(select(ModelUsage).where(ModelUsage.user_id.in_(ids)))
            booked = entries.all()
        expected, found = Counter[Any](), Counter[Any]()
        for run in runs:
            expected[run.user_id, "turns"] += run.finished_at is not None
            expected[run.user_id, "requests"] += run.model_requests
            for name in ("input_tokens", "cached_tokens", "output_tokens", "cost_nanos"):
                expected[run.user_id, name] += getattr(run, name)
            expected[run.user_id, run.model or ""] += 1
        for entry in booked:
            for name in ("turns", "requests", "input_tokens", "cached_tokens", "output_tokens"):
                found[entry.user_id, name] += getattr(entry, name)
            found[entry.user_id, "cost_nanos"] += entry.cost_nanos
            found[entry.user_id, entry.model] += entry.turns
        assert +found == +expected


def test_the_ledger_equals_the_runs_it_is_made_of(
    service: SessionService, new_person: Callable[..., Principal]
) -> None:
    with asyncio.Runner() as runner:
        own = Database(service.database.url)
        people = [new_person(), new_person()]
        lives = Runs(SessionService(own), people)

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        @given(HISTORIES)
        def compare(histories: list[Any]) -> None:
            for number, steps, end in histories:
                runner.run(lives.live(people[number], steps, end))
            runner.run(lives.compare())

        compare()
        runner.run(own.close())


@pytest.mark.anyio
async def test_every_view_is_read_by_an_index(database: Database) -> None:
    rows = [
        {
            "day": date(2024, 1, 1) + timedelta(days=day),
            "user_id": f"user:{user}",
            "model": "m",
            "door": "chat",
            **dict.fromkeys(AMOUNTS, 1),
        }
        for day in range(100)
        for user in range(50)
    ]
    explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
    few, many = (f"day BETWEEN '2024-02-01' AND '2024-{end}'" for end in ("02-03", "04-09"))
    async with database.unit_of_work() as session:
        await session.execute(insert(ModelUsage), rows)
    async with database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE model_usage"))
        for condition, index in (
            (few, "pk_model_usage|autoindex_model_usage"),
            (f"user_id = 'user:7' AND {many}", "ix_model_usage_user_id_day"),
        ):
            query = (
                f"{explain} SELECT day, sum(turns) FROM model_usage WHERE {condition} GROUP BY day"
            )
            plan = "\n".join(map(str, (await connection.execute(text(query))).all()))
            assert any(name in plan for name in index.split("|")), plan
        await connection.execute(text("DELETE FROM model_usage WHERE day < '2025-01-01'"))


@pytest.mark.anyio
async def test_a_budget_says_what_is_left_and_never_less_than_nothing(database: Database) -> None:
    limits = settings_for("sqlite:///unused").model_copy(
        update={"chat_daily_tokens": 1_000, "chat_daily_cost_usd": 0.5}
    )
    facts = dict.fromkeys(AMOUNTS, 0) | {"model": "m", "door": "chat"}
    entries = [
        facts | {"day": utc_now().date(), "input_tokens": 600, "output_tokens": 300},
        facts | {"day": utc_now().date() - timedelta(days=1), "input_tokens": 9_000},
        facts | {"day": utc_now().date(), "door": "openai", "cost_nanos": 600_000_000},
    ]
    async with database.unit_of_work() as session:
        await session.execute(
            insert(ModelUsage), [entry | {"user_id": "user:budget"} for entry in entries]
        )
        budget = await budget_of(session, limits, user_id="user:budget")
        free = await budget_of(session, settings_for("sqlite:///unused"), user_id="user:budget")
    assert (budget.used_tokens, budget.left_tokens) == (900, 100)
    assert (budget.used_cost_nanos, budget.left_cost_nanos) == (600_000_000, 0)
    assert timedelta(0) < budget.resets_at - utc_now() <= timedelta(days=1)
    assert (free.left_tokens, free.left_cost_nanos) == (None, None)


def test_a_range_in_the_wrong_order_or_too_long_is_refused() -> None:
    today = utc_now().date()
    assert days(None, None) == (today - timedelta(days=29), today)
    for first, last in ((today, today - timedelta(days=1)), (today - timedelta(days=400), today)):
        with pytest.raises(BadRange):
            days(first, last)


@pytest.mark.anyio
@pytest.mark.parametrize("cursor", ["no", "WyJhIl0", "WyIyMDI1LTAxLTAxIiwiYiJd", "WzFd"])
async def test_a_cursor_of_another_question_is_refused(database: Database, cursor: str) -> None:
    wanted = Range(first=FIRST, last=FIRST)
    async with database.reading() as session:
        with pytest.raises(BadCursor):
            await usage_by(session, wanted, ("day",), cursor=cursor, limit=5)
