"""What a person agreed to through another door, or in another process, is done all the same."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from chat.conversing import Conversation, booking_id, opened, order
from msil_mcp.bus import Bus
from msil_mcp.chat.models import ChatRun
from msil_mcp.db.database import Database, database_url, utc_now
from msil_mcp.governance.approvals import Approvals
from msil_mcp.identity.authentication import cli_principal
from product.polling import eventually
from running import Booking, Product

pytestmark = pytest.mark.anyio


async def questioned(product: Product, time: str) -> tuple[Conversation, str]:
    """A conversation that waits for a person, and the id of what it asks."""
    talk = await opened(product)
    await talk.say(order(time))
    waiting = await talk.say("9876543210, regular, yes")
    [card] = waiting["approvals"]
    return talk, card["id"]


@asynccontextmanager
async def elsewhere(product: Product) -> AsyncIterator[Database]:
    """The database as a command beside the server has it."""
    database = Database(database_url(product.settings))
    try:
        yield database
    finally:
        await database.close()


async def decide(product: Product, approval_id: str, *, accepted: bool) -> None:
    async with elsewhere(product) as database:
        store = Approvals(database=database, settings=product.settings)
        await store.decide(approval_id, principal=cli_principal(), accepted=accepted, via="cli")


async def test_a_message_right_after_an_agreement_does_not_withdraw_it(
    chatting: Product, booking: Booking
) -> None:
    talk, approval_id = await questioned(chatting, "10:00")
    await decide(chatting, approval_id, accepted=True)
    refused = await talk.ask("POST", "/turns", json={"text": "Thank you"})
    assert (refused.status, refused.json["code"]) == (409, "chat_run_active")
    done = await talk.wait(refused.json["run_id"])
    assert done["state"] == "succeeded"
    assert booking.rows(booking_id(done["text"]))
    assert (await talk.say("Thank you"))["state"] == "succeeded"


async def test_a_message_right_after_a_refusal_is_answered(chatting: Product) -> None:
    talk, approval_id = await questioned(chatting, "11:00")
    await decide(chatting, approval_id, accepted=False)
    assert (await talk.say("Never mind"))["state"] == "succeeded"
    [row] = chatting.query("SELECT reason FROM approvals WHERE id = :i", i=approval_id)
    assert row.reason is None


async def test_an_agreed_call_is_made_however_long_the_bus_takes(
    chatting: Product, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk, approval_id = await questioned(chatting, "09:00")
    run_id = talk.runs[-1]
    assert chatting.app is not None
    bus: Bus = chatting.app.state.bus
    kept, slow = bus.kept, True

    async def kept_at_last(topic: str) -> Sequence[Any]:
        async def quick() -> bool:
            return not slow

        await eventually(quick, within=20)
        return await kept(topic)

    monkeypatch.setattr(bus, "kept", kept_at_last)
    async with elsewhere(chatting) as database:
        await decide(chatting, approval_id, accepted=True)

        async def run() -> ChatRun:
            async with database.reading() as session:
                return await session.get_one(ChatRun, run_id)

        async def taken() -> bool:
            return (await run()).state == "running"

        await eventually(taken, within=10)
        async with database.unit_of_work() as session:
            ago = utc_now() - timedelta(seconds=1)
            await session.execute(
                update(ChatRun).where(ChatRun.id == run_id).values(lease_until=ago)
            )

        async def kept_alive() -> bool:
            found = await run()
            assert found.state == "running"
            assert found.lease_until is not None
            return found.lease_until > utc_now()

        await eventually(kept_alive, within=10)
    slow = False
    done = await talk.wait()
    assert booking.rows(booking_id(done["text"]))


async def test_a_run_decided_before_its_question_was_told_everywhere_goes_on_whole(
    chatting: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    talk = await opened(chatting)
    await talk.say(order("16:30"))
    assert chatting.app is not None
    bus: Bus = chatting.app.state.bus
    publish, slow = bus.publish, True

    async def publish_at_last(topic: str, payload: bytes) -> int:
        async def quick() -> bool:
            return not (slow and topic.startswith("run:"))

        await eventually(quick, within=20)
        return await publish(topic, payload)

    monkeypatch.setattr(bus, "publish", publish_at_last)
    await talk.begin("9876543210, regular, yes")
    run_id = talk.runs[-1]

    async def in_state(state: str) -> None:
        async def so() -> bool:
            [run] = chatting.query("SELECT state FROM chat_runs WHERE id = :i", i=run_id)
            return bool(run.state == state)

        await eventually(so, within=10, every=0.2)

    await in_state("waiting_approval")
    [card] = (await talk.ask("GET", "/approvals")).json
    async with asyncio.TaskGroup() as tasks:
        deciding = tasks.create_task(talk.decide(card, "approve"))
        await in_state("running")
        slow = False
    assert deciding.result().status == 202
    assert (await talk.wait())["state"] == "succeeded"

    async def recorded() -> bool:
        """The end of the run is on the record."""
        query = "SELECT action FROM audit_records WHERE run_id = :i AND kind = 'run'"
        actions = {row.action for row in chatting.query(query, i=run_id)}
        return actions == {"run.started", "run.succeeded"}

    await eventually(recorded, within=5, every=0.2)
