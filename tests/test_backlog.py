"""What the gauges are told of the database, on both of them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from databases import Templates, settings_for
from msil_mcp.backlog import Backlog, read_backlog
from msil_mcp.db.database import Database, database_url, utc_now
from msil_mcp.governance.approvals import Approval
from msil_mcp.governance.executions import ToolExecution
from msil_mcp.identity.tables import ApiKey
from msil_mcp.jobs import Job
from msil_mcp.webhooks.models import Webhook, WebhookDelivery

pytestmark = pytest.mark.anyio

NOW = utc_now()
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(request: pytest.FixtureRequest, templates: Templates) -> AsyncIterator[Database]:
    with templates.clone(request.param) as url:
        database = Database(database_url(settings_for(url)))
        yield database
        await database.close()


async def looked(database: Database, *rows: Any) -> Backlog:
    async with database.unit_of_work() as session:
        session.add_all(rows)
    async with database.reading() as session:
        return await read_backlog(session)


def now_past(age: timedelta) -> float:
    """How old something is by now that was so old when this module was read."""
    return (utc_now() - NOW + age).total_seconds()


def job(kind: str, state: str, run_at: datetime) -> Job:
    return Job(kind=kind, payload={}, state=state, run_at=run_at, max_attempts=3, created_at=run_at)


def key(
    number: int, *, ends: timedelta, used: timedelta | None, name: str = "", **facts: Any
) -> ApiKey:
    return ApiKey(
        name=name or f"key {number}",
        prefix=f"msil_{number:08}",
        digest=number.to_bytes(32, "big"),
        key_id="one",
        created_by="test",
        expires_at=NOW + ends,
        last_used_at=None if used is None else NOW - used,
        **facts,
    )


def execution(number: int, state: str, **facts: Any) -> ToolExecution:
    defaults = {"created_at": NOW, "origin": "rest", "correlation_id": "c", "arguments_hash": "h"}
    made = ToolExecution(id=str(number), state=state, principal_id="key:1", tool_version_id=1)
    for name, value in (defaults | {"tool_name": "book", "attempts": 1} | facts).items():
        setattr(made, name, value)
    return made


async def test_an_empty_database_has_no_backlog(database: Database) -> None:
    found = await looked(database)
    assert found == Backlog(keys_expiring={"1d": 0, "7d": 0, "30d": 0})


async def test_jobs_are_late_by_the_oldest_that_is_due(database: Database) -> None:
    found = await looked(
        database,
        job("late", "pending", NOW - 2 * HOUR),
        job("late", "pending", NOW - HOUR),
        job("late", "dead", NOW - DAY),
        job("late", "done", NOW - DAY),
        job("early", "pending", NOW + HOUR),
        job("busy", "running", NOW - HOUR),
        job("over", "done", NOW - HOUR),
    )
    assert found.jobs["late"].overdue_seconds == pytest.approx(now_past(2 * HOUR), abs=5)
    assert {kind: standing.dead for kind, standing in found.jobs.items()} == {
        "late": 1, "early": 0, "busy": 0
    }  # fmt: skip
    assert found.jobs["early"].overdue_seconds == found.jobs["busy"].overdue_seconds == 0


async def test_keys_that_end_soon_count_while_somebody_depends_on_them(database: Database) -> None:
    found = await looked(
        database,
        key(1, ends=HOUR, used=HOUR),
        key(2, ends=5 * DAY, used=DAY),
        key(3, ends=20 * DAY, used=DAY),
        key(4, ends=60 * DAY, used=DAY),
        key(5, ends=HOUR, used=None),
        key(6, ends=HOUR, used=30 * DAY),
        key(7, ends=HOUR, used=HOUR, revoked_at=NOW),
        key(8, ends=-HOUR, used=2 * HOUR),
        key(9, ends=HOUR, used=HOUR, name="rotated"),
        key(10, ends=90 * DAY, used=None, name="rotated"),
    )
    assert found.keys_expiring == {"1d": 1, "7d": 2, "30d": 3}


async def test_deliveries_wait_until_they_are_made_or_their_webhook_is_paused(
    database: Database,
) -> None:
    def hook(name: str, *, active: bool) -> Webhook:
        return Webhook(
            id=name, url="https://hooks.example/", event_types=[], secret="sealed", active=active,
            created_by="test",
        )  # fmt: skip

    def delivery(hook: str, number: int, state: str, age: timedelta) -> WebhookDelivery:
        return WebhookDelivery(
            webhook_id=hook, event_id=str(number), event_type="write.done", payload="{}",
            state=state, created_at=NOW - age,
        )  # fmt: skip

    await looked(database, hook("active", active=True), hook("paused", active=False))
    found = await looked(
        database,
        delivery("active", 1, "failed", 2 * HOUR),
        delivery("active", 2, "pending", HOUR),
        delivery("active", 3, "delivered", DAY),
        delivery("active", 4, "dead", DAY),
        delivery("paused", 5, "pending", DAY),
    )
    assert (found.deliveries.count, found.deliveries.dead) == (2, 1)
    assert found.deliveries.oldest_seconds == pytest.approx(now_past(2 * HOUR), abs=5)


async def test_calls_are_unknown_where_nobody_can_say_what_came_of_them(database: Database) -> None:
    found = await looked(
        database,
        execution(1, "unknown"),
        execution(2, "dispatched", lease_until=NOW - HOUR),
        execution(3, "dispatched", lease_until=NOW + HOUR),
        execution(4, "intended", lease_until=NOW - HOUR),
        execution(5, "succeeded"),
        execution(6, "unknown", created_at=NOW - 2 * DAY),
    )
    assert found.unknown_calls == 2


async def test_approvals_wait_while_they_can_be_decided(database: Database) -> None:
    def approval(name: str, state: str, ends: timedelta) -> Approval:
        return Approval(
            id=name, state=state, principal_id="key:1", principal_name="key", tool_name="book",
            tool_version_id=1, tool_hash="h", arguments_hash="h", title="Book", arguments={},
            method="POST", url="https://api.example/", origin="rest", correlation_id="c",
            created_at=NOW, expires_at=NOW + ends,
        )  # fmt: skip

    found = await looked(
        database,
        approval("open", "pending", HOUR),
        approval("late", "pending", -HOUR),
        approval("agreed", "approved", HOUR),
    )
    assert found.approvals == 1
