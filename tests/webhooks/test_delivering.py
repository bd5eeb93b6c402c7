"""From a durable record to its receiver: retries, dead letters, and processes that die between."""

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select, text

from databases import SECRET, Templates, settings_for
from locking import until_waiting
from msil_mcp.audit.records import AuditRecord
from msil_mcp.audit.trail import Audit
from msil_mcp.bus import Bus
from msil_mcp.db.database import Database, database_url, utc_now
from msil_mcp.egress import Egress
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.jobs import JobRunner
from msil_mcp.sealing import Keyring
from msil_mcp.services import make_bus
from msil_mcp.settings import Settings
from msil_mcp.webhooks.deliveries import forget_old, replay_dead
from msil_mcp.webhooks.delivering import Delivering
from msil_mcp.webhooks.models import Webhook, WebhookDelivery
from msil_mcp.webhooks.relay import DELIVER, Relay
from msil_mcp.webhooks.subscriptions import (
    NewWebhook,
    add_webhook,
    change_webhook,
    delete_webhook,
)
from msil_mcp.webhooks.wiring import PURPOSE
from product.polling import eventually
from webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.anyio


@dataclass
class Process:
    """The parts of a serving process that webhooks need."""

    database: Database
    audit: Audit
    bus: Bus
    egress: Egress
    keyring: Keyring
    attempts: Counter[str] = field(default_factory=Counter)

    async def record(self, tool: str = "resolve_vehicle", **facts: Any) -> None:
        wanted = {"kind": "tool.call", "action": "tools/call", "outcome": "succeeded"}
        await self.audit.write(AuditRecord(**wanted | {"tool": tool, "risk": "read"} | facts))

    async def subscribe(self, receiver: Receiver, *types: str, private: bool = True) -> str:
        new = NewWebhook(url=receiver.url, event_types=list(types), allow_private=private)
        if not private:
            new = NewWebhook(url="https://hooks.example/", event_types=list(types))
        async with self.database.unit_of_work() as session:
            row, _ = await add_webhook(
                session, new=new, sealer=self.keyring.sealer(PURPOSE), by=cli_principal()
            )
        return row.id

    async def deliveries(self) -> list[WebhookDelivery]:
        async with self.database.reading() as session:
            query = select(WebhookDelivery).order_by(WebhookDelivery.id)
            return list(await session.scalars(query))

    async def until(self, *states: str) -> list[WebhookDelivery]:
        async def so() -> bool:
            return [row.state for row in await self.deliveries()] == list(states)

        await eventually(so, within=10)
        return await self.deliveries()

    async def webhook(self, webhook_id: str) -> Webhook:
        async with self.database.reading() as session:
            found = await session.get(Webhook, webhook_id)
        assert found is not None
        return found

    @asynccontextmanager
    async def working(self, *, attempts: int = 10) -> AsyncIterator[Relay]:
        """With the relay and the runner of jobs at it."""
        relay = Relay(database=self.database, bus=self.bus, look_seconds=0.05)
        self.audit.on_record(relay.note)
        delivering = Delivering(
            database=self.database,
            egress=self.egress,
            sealer=self.keyring.sealer(PURPOSE),
            on_attempt=lambda outcome: self.attempts.update([outcome]),
            attempts=attempts,
            backoff_seconds=(0.01, 0.05),
        )
        runner = JobRunner(
            self.database,
            {DELIVER: delivering.deliver},
            owner="test",
            signals=self.bus,
            poll_seconds=0.05,
            lease_seconds=1.0,
        )
        await runner.start()
        await relay.start()
        try:
            yield relay
        finally:
            await relay.close()
            await runner.stop(grace_seconds=1.0)
            self.audit.writer.listeners.remove(relay.note)


@asynccontextmanager
async def process_of(settings: Settings) -> AsyncIterator[Process]:
    database = Database(database_url(settings))
    keyring = Keyring.from_settings(settings)
    audit = Audit(database=database, keyring=keyring, settings=settings)
    bus, egress = make_bus(settings, database), Egress(settings)
    await bus.start()
    await egress.start()
    await audit.start()
    try:
        yield Process(database, audit, bus, egress, keyring)
    finally:
        await audit.close()
        await egress.close()
        await bus.close()
        await database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, templates: Templates) -> Iterator[str]:
    with templates.clone(request.param) as made:
        yield made


@pytest.fixture
async def process(url: str) -> AsyncIterator[Process]:
    async with process_of(settings_for(url)) as process:
        yield process


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_a_failing_receiver_is_tried_again_with_the_same_message(
    process: Process, receiver: Receiver
) -> None:
    receiver.answer = lambda count: 500 if count < 3 else 200
    webhook = await process.subscribe(receiver, "tool.called")
    async with process.working():
        await process.record()
        (delivery,) = await process.until("delivered")
    assert (delivery.attempts, delivery.last_status, delivery.last_error) == (3, 200, None)
    assert {one.id for one in receiver.posted} == {delivery.event_id}
    assert {one.body.decode() for one in receiver.posted} == {delivery.payload}
    assert (await process.webhook(webhook)).failing_since is None


async def test_what_is_given_up_lies_dead_until_it_is_replayed(
    process: Process, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 503
    webhook = await process.subscribe(receiver, "tool.called")
    async with process.working(attempts=3) as relay:
        await process.record()
        await process.record()
        dead = await process.until("dead", "dead")
        assert [(row.attempts, row.last_error) for row in dead] == [(3, "answered 503")] * 2
        assert (await process.webhook(webhook)).failing_since is not None
        assert len(receiver.posted) == 6
        assert process.attempts == Counter({"failed": 4, "dead": 2})

        receiver.answer = lambda _: 200
        async with process.database.unit_of_work() as session:
            assert await replay_dead(session, webhook_id=webhook, since=None) == 2
        await relay.changed()
        await process.until("delivered", "delivered")
    assert (await process.webhook(webhook)).failing_since is None


async def test_a_record_of_a_dead_process_is_delivered_by_the_next(
    url: str, receiver: Receiver
) -> None:
    """kill -9 as soon as the record is durable: no relay has looked, nothing is in memory."""
    async with process_of(settings_for(url)) as process:
        await process.subscribe(receiver, "tool.called")
    await asyncio.to_thread(record_and_be_killed, url)
    async with process_of(settings_for(url)) as process, process.working():
        (posted,) = await receiver.until(1)
        await process.until("delivered")
    assert posted.event["data"]["tool"] == "the_last_one"


def record_and_be_killed(url: str) -> None:
    program = """
import asyncio, os, signal, sys
from databases import settings_for
from webhooks.test_delivering import process_of

async def main():
    async with process_of(settings_for(sys.argv[1])) as process:
        await process.record("the_last_one")
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""
    ended = subprocess.run(
        [sys.executable, "-c", program, url],
        env={"PYTHONPATH": ":".join(sys.path), "MSIL_SECRET_KEY": SECRET},
        capture_output=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()


async def test_a_process_killed_while_it_sends_leaves_the_delivery_to_the_next(
    process: Process, receiver: Receiver
) -> None:
    await process.subscribe(receiver, "tool.called")
    await process.record()
    relay = Relay(database=process.database, bus=process.bus)
    await relay.look()
    async with process.database.unit_of_work() as session:
        # As a process leaves it that was killed after it had taken the job.
        await session.execute(
            text("UPDATE jobs SET state = 'running', attempts = 1, lease_owner = 'the dead'")
        )
        await session.execute(
            text("UPDATE jobs SET lease_until = :past"), {"past": "2020-01-01 00:00:00.000000"}
        )
    async with process.working():
        await process.until("delivered")
    assert len(receiver.posted) == 1


async def test_any_number_of_relays_make_one_delivery_of_an_event(
    process: Process, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 200
    first = await process.subscribe(receiver, "tool.called", "write.done")
    second = await process.subscribe(receiver, "write.done")
    await asyncio.gather(
        *(process.record(f"tool_{number}", risk="write") for number in range(250)),
        process.record(outcome="denied"),
        process.record(outcome="needs_confirmation"),
    )
    relays = [Relay(database=process.database, bus=process.bus) for _ in range(3)]
    await asyncio.gather(*(relay.look() for relay in relays))
    rows = await process.deliveries()
    assert len(rows) == 750
    assert len({(row.webhook_id, row.event_id) for row in rows}) == 750
    of_first = {row.event_id for row in rows if row.webhook_id == first}
    assert {row.event_id for row in rows if row.webhook_id == second} < of_first
    async with process.database.reading() as session:
        jobs = await session.scalar(text("SELECT count(*) FROM jobs WHERE state = 'pending'"))
    assert jobs == 2


async def test_a_receiver_that_is_gone_pauses_its_webhook(
    process: Process, receiver: Receiver
) -> None:
    receiver.answer = lambda _: 410
    webhook = await process.subscribe(receiver, "tool.called")
    async with process.working():
        await process.record()
        (delivery,) = await process.until("dead")
        row = await process.webhook(webhook)
        assert (row.active, row.paused_because) == (False, "The receiver answered 410 Gone.")
        assert delivery.attempts == 1
        await process.record()
    assert len(await process.deliveries()) == 1


@pytest.mark.parametrize("target", ["http://127.0.0.1:1/", "http://localhost:1/"])
async def test_a_private_address_is_never_connected_to_unless_allowed(
    process: Process, receiver: Receiver, target: str
) -> None:
    webhook = await process.subscribe(receiver, "tool.called", private=False)
    async with process.database.unit_of_work() as session:
        # As a name that came to point inside after the URL was checked.
        (await session.get_one(Webhook, webhook)).url = target
    async with process.working():
        await process.record()
        (delivery,) = await process.until("dead")
    assert delivery.last_error is not None
    assert "it lies on a private or reserved network" in delivery.last_error
    assert (delivery.attempts, delivery.last_status) == (1, None)


async def test_a_receiver_that_never_answers_delays_no_other(
    process: Process, receiver: Receiver
) -> None:
    async with receiving() as silent:
        silent.held = asyncio.Event()
        await process.subscribe(silent, "tool.called")
        await process.subscribe(receiver, "tool.called")
        async with process.working():
            for number in range(1, 21):
                await process.record()
                await receiver.until(number)
            silent.held.set()
            await process.until(*["delivered"] * 40)


async def test_a_redirect_is_not_followed(process: Process, receiver: Receiver) -> None:
    receiver.answer = lambda _: 302
    receiver.headers = {"Location": receiver.url}
    await process.subscribe(receiver, "tool.called")
    async with process.working(attempts=2):
        await process.record()
        (delivery,) = await process.until("dead")
    assert len(receiver.posted) == 2
    assert delivery.last_error is not None
    assert "redirects are not followed" in delivery.last_error


async def test_a_receiver_that_asks_for_time_gets_it(process: Process, receiver: Receiver) -> None:
    receiver.answer, receiver.headers = (lambda _: 429), {"Retry-After": "3600"}
    await process.subscribe(receiver, "tool.called")
    delivering = Delivering(
        database=process.database,
        egress=process.egress,
        sealer=process.keyring.sealer(PURPOSE),
    )
    await process.record()
    await Relay(database=process.database, bus=process.bus).look()
    (before,) = await process.deliveries()
    await delivering.deliver({"webhook_id": before.webhook_id})
    (after,) = await process.deliveries()
    assert after.state == "failed"
    assert after.next_at is not None
    assert after.next_at > utc_now() + timedelta(minutes=59)


async def test_the_past_is_not_delivered_to_a_new_subscriber(
    process: Process, receiver: Receiver
) -> None:
    await process.record("long_ago")
    await process.subscribe(receiver, "tool.called")
    async with receiving() as late, process.working():
        await process.record("first")
        await process.until("delivered")
        await process.subscribe(late, "tool.called")
        await process.record("second")
        await process.until("delivered", "delivered", "delivered")
    assert [one.event["data"]["tool"] for one in receiver.posted] == ["first", "second"]
    assert [one.event["data"]["tool"] for one in late.posted] == ["second"]


async def test_a_paused_webhook_resumes_with_what_comes_next(
    process: Process, receiver: Receiver
) -> None:
    webhook = await process.subscribe(receiver, "tool.called")

    async def switch(*, active: bool) -> None:
        async with process.database.unit_of_work() as session:
            await change_webhook(
                session, webhook_id=webhook, wanted={"active": active}, by=cli_principal()
            )

    await switch(active=False)
    await process.record("meanwhile")
    await switch(active=True)
    async with process.working():
        await process.record("afterwards")
        await process.until("delivered")
    assert [one.event["data"]["tool"] for one in receiver.posted] == ["afterwards"]


async def test_settled_deliveries_are_forgotten_after_a_month(
    process: Process, receiver: Receiver
) -> None:
    await process.subscribe(receiver, "tool.called")
    for _ in range(4):
        await process.record()
    await Relay(database=process.database, bus=process.bus).look()
    async with process.database.unit_of_work() as session:
        rows = list(await session.scalars(select(WebhookDelivery)))
        for row, state, days in zip(
            rows, ("delivered", "dead", "failed", "delivered"), (31, 31, 31, 29), strict=True
        ):
            row.state, row.created_at = state, utc_now() - timedelta(days=days)
    async with process.database.unit_of_work() as session:
        await forget_old(session)
        left = await session.scalar(select(func.count()).select_from(WebhookDelivery))
    assert left == 2


async def test_a_webhook_is_deleted_while_what_came_of_its_deliveries_is_noted(
    templates: Templates, receiver: Receiver
) -> None:
    with templates.clone("postgresql") as url:
        async with process_of(settings_for(url)) as process:

            async def delete() -> None:
                async with process.database.unit_of_work() as session:
                    await delete_webhook(session, webhook_id=webhook)

            webhook = await process.subscribe(receiver, "tool.called")
            await process.record()
            await process.record()
            async with asyncio.TaskGroup() as tasks, process.database.sessions() as holding:
                relay = Relay(database=process.database, bus=process.bus)
                await relay.look()
                _, last = await process.until("pending", "pending")
                await holding.get(WebhookDelivery, last.id, with_for_update=True)
                async with process.working():
                    await until_waiting(process.database)
                    deleting = tasks.create_task(delete())
                    await until_waiting(process.database, 2)
                    await holding.rollback()
                    await deleting
            assert await process.deliveries() == []
            assert len(receiver.posted) == 2
