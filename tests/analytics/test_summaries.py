"""What is put together from summaries is what counting the trail gives."""

import itertools
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from databases import Templates, settings_for
from msil_mcp.analytics.counting import count_calls
from msil_mcp.analytics.ranges import BUCKETS, DAY, HOUR, TOOL_BUCKETS, AskedRange, TimeRange
from msil_mcp.analytics.summaries import Stretch, parts_of, summarise, summary_of
from msil_mcp.analytics.tallies import Summary
from msil_mcp.audit.records import AuditRecord
from msil_mcp.audit.trail import Audit
from msil_mcp.db.database import Database, database_url, utc_now
from msil_mcp.principal import Principal
from msil_mcp.sealing import Keyring

ENDINGS: list[dict[str, Any]] = [
    {"outcome": "succeeded"},
    {"outcome": "failed", "error": "upstream_timeout", "rule": "upstream"},
    {"outcome": "denied", "error": "rate_limited", "rule": "limit"},
    {"outcome": "needs_confirmation", "rule": "approve"},
]
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, templates: Templates) -> AsyncIterator[Database]:
    with templates.clone(request.param) as url:
        settings = settings_for(url)
        made = Database(database_url(settings))
        audit = Audit(database=made, keyring=Keyring.from_settings(settings), settings=settings)
        await audit.start()
        for record in records(random.Random(7), now=utc_now()):
            await audit.write(record)
        await audit.close()
        yield made
        await made.close()


def records(chance: random.Random, *, now: datetime) -> list[AuditRecord]:
    """Calls of the last three days, and something that is no call."""
    callers = [
        Principal(
            id=f"key:{n}", kind="key", name=f"K{n}", roles=frozenset(), permissions=frozenset()
        )
        for n in range(3)
    ]
    calls = [
        AuditRecord(
            kind="tool.call",
            action="tools/call",
            principal=chance.choice(callers),
            at=now - timedelta(hours=chance.uniform(0, 70)),
            tool=chance.choice(["one", "two"]),
            origin=chance.choice(["mcp", "rest"]),
            duration_ms=chance.lognormvariate(4, 1),
            **chance.choice(ENDINGS),
        )
        for _ in range(150)
    ]
    admin = AuditRecord(kind="admin", action="role.created", outcome="succeeded", at=now)
    return [*calls, admin]


@pytest.mark.anyio
async def test_summaries_change_no_answer(database: Database) -> None:
    now = utc_now()
    ranges = [AskedRange(now - timedelta(hours=hours), now) for hours in (1, 5, 24, 50, 71, 400)]
    looked = [asked.in_buckets(rules) for asked in ranges for rules in (BUCKETS, TOOL_BUCKETS)]

    async def everything() -> list[Summary]:
        async with database.reading() as session:
            return [await summary_of(session, one) for one in looked] + [
                await summary_of(session, one, tool="one") for one in looked[1::2]
            ]

    counted = await everything()
    made = await summarise(database, kept_days=30)
    assert made > 70
    assert await everything() == counted
    assert sum(tally.calls for tally in counted[-1].slots.values()) > 50
    assert await summarise(database, kept_days=30) == 0


@pytest.mark.anyio
async def test_what_is_summarised_is_not_counted_again(database: Database) -> None:
    await summarise(database, kept_days=30)
    async with database.unit_of_work() as session:
        await session.execute(text("DELETE FROM audit_subjects"))
        await session.execute(text("DELETE FROM audit_records"))
    now = utc_now()
    async with database.reading() as session:
        whole = await summary_of(session, AskedRange(now - timedelta(hours=71), now).in_buckets())
    assert sum(whole.origins.values()) > 130


@pytest.mark.anyio
async def test_summaries_go_when_the_records_go(database: Database) -> None:
    await summarise(database, kept_days=30)
    await summarise(database, kept_days=1)
    async with database.reading() as session:
        oldest = await session.scalar(text("SELECT count(*) FROM analytics_summaries"))
        recent = await count_calls(
            session, start=utc_now() - timedelta(days=3), end=utc_now(), slot_seconds=300
        )
    assert 20 <= oldest <= 26
    assert sum(recent.origins.values()) == 150


stretches = st.builds(
    lambda hour, seconds: Stretch(
        MIDNIGHT + timedelta(seconds=hour * HOUR // seconds * seconds), seconds
    ),
    st.integers(0, 96),
    st.sampled_from([HOUR, DAY]),
)


@given(
    st.sets(stretches),
    st.integers(0, 86_400 * 3),
    st.integers(1, 86_400 * 2),
    st.sampled_from([60, 300, HOUR, DAY]),
)
def test_a_range_is_covered_without_gap_or_overlap(
    kept: set[Stretch], start: int, length: int, bucket: int
) -> None:
    begin = MIDNIGHT + timedelta(seconds=start // bucket * bucket)
    wanted = TimeRange(begin, begin + timedelta(seconds=length), bucket)
    parts = parts_of(wanted, kept)
    assert set(parts.summaries) <= kept
    covered = sorted([*((one.start, one.end) for one in parts.summaries), *parts.counted])
    assert covered[0][0] == wanted.start
    assert covered[-1][1] == wanted.end
    assert all(before[1] == after[0] for before, after in itertools.pairwise(covered))
