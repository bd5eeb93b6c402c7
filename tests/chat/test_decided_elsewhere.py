"""What a person agreed to through another door, or in another process, is done all the same."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from chat.conversing import Conversation, booking_id, by_model, opened, order
from databases import Templates, settings_for
from locking import until_waiting
from msil_mcp.bus import Bus
from msil_mcp.chat import keeping
from msil_mcp.chat.models import ChatRun
from msil_mcp.chat.runs import let_wait
from msil_mcp.db.database import Database, database_url, utc_now
from msil_mcp.governance.approvals import Approval, Approvals
from msil_mcp.identity.authentication import cli_principal
from product.polling import eventually
from running import Booking, Product, product

pytestmark = pytest.mark.anyio
ELSEWHERE = ("Hinjewadi, Pune", "Whitefield, Bengaluru")
"""At a dealer whose seats no other test takes."""


async def questioned(on: Product, time: str) -> tuple[Conversation, str]:
    """A conversation that waits for a person, and the id of what it asks."""
    talk = await opened(on)
    await talk.say(order(time).replace(*ELSEWHERE))
    waiting = await talk.say("9876543210, regular, yes")
    [card] = waiting["approvals"]
    return talk, card["id"]


@asynccontextmanager
async def elsewhere(on: Product) -> AsyncIterator[Database]:
    """The database as a command beside the server has it."""
    database = Database(database_url(on.settings))
    try:
        yield database
    finally:
        await database.close()


async def decide(on: Product, approval_id: str, *, accepted: bool) -> None:
    async with elsewhere(on) as database:
        store = Approvals(database=database, settings=on.settings)
        await store.decide(approval_id, principal=cli_principal(), accepted=accepted, via="cli")


async def test_a_message_right_after_an_agreement_does_not_withdraw_it(
    chatting: Product, booking: Booking
) -> None:
    talk, approval_id = await questioned(chatting, "11:30")
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
    await talk.say(order("16:30").replace(*ELSEWHERE))
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


@pytest.fixture
def narrow(templates: Templates, booking_url: str, paced_model: str) -> Iterator[Product]:
    """The product with few connections to PostgreSQL."""
    with templates.clone("postgresql") as url:
        settings = settings_for(url, database_pool_size=2, **by_model(paced_model))
        with product(settings, booking_url=booking_url) as running:
            yield running


async def test_what_is_agreed_to_while_somebody_edits_it_is_done_as_it_was(
    narrow: Product, booking: Booking
) -> None:
    talk, approval_id = await questioned(narrow, "14:30")
    [call] = [
        part for part in (await talk.wait())["message"]["parts"] if part["type"] == "tool_call"
    ]
    wanted = call["arguments"] | {"appointment_time": "15:30"}
    async with (
        elsewhere(narrow) as database,
        asyncio.TaskGroup() as tasks,
        database.sessions() as deciding,
    ):
        approval = await deciding.get_one(Approval, approval_id, with_for_update=True)
        editing = tasks.create_task(talk.decide({"id": approval_id}, "edit", arguments=wanted))
        await until_waiting(database)
        approval.state, approval.decided_at = "approved", utc_now()
        await deciding.commit()
    refused = editing.result()
    assert (refused.status, refused.json["code"]) == (409, "approval_not_open")

    async def done() -> bool:
        return bool((await talk.wait())["state"] == "succeeded")

    await eventually(done, within=10, every=0.2)
    assert "14:30" in str(booking.rows(booking_id((await talk.wait())["text"])))


async def test_as_many_decide_at_once_as_like(narrow: Product) -> None:
    talk = await opened(narrow)
    async with asyncio.timeout(15):
        replies = await asyncio.gather(
            *(talk.decide({"id": f"ap_{number}"}, "approve") for number in range(12))
        )
    assert {(reply.status, reply.json["code"]) for reply in replies} == {(404, "unknown_approval")}


async def test_a_question_is_answered_before_its_run_is_stored_as_waiting(
    chatting: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    early = True

    async def let_wait_at_last(session: AsyncSession, run: ChatRun) -> None:
        async def late() -> bool:
            return not early

        await eventually(late, within=20)
        await let_wait(session, run)

    monkeypatch.setattr(keeping, "let_wait", let_wait_at_last)
    talk = await opened(chatting)
    await talk.say(order("11:30").replace(*ELSEWHERE))
    await talk.begin("9876543210, regular, yes")
    query = "SELECT id FROM approvals WHERE run_id = :r"

    async def asked() -> bool:
        return bool(chatting.query(query, r=talk.runs[-1]))

    await eventually(asked, within=10)
    [card] = chatting.query(query, r=talk.runs[-1])
    deciding = asyncio.create_task(talk.decide({"id": card.id}, "approve"))
    await asyncio.wait({deciding}, timeout=0.3)
    early = False
    assert (await deciding).status == 202, deciding.result().body
    assert (await talk.wait())["state"] == "succeeded"
