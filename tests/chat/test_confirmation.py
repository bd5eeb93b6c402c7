"""A write in a conversation happens when a person agrees to exactly it, and not otherwise."""

import asyncio
from typing import Any

import pytest

from chat.conversing import Conversation, booking_id, by_model, kinds, opened, order, said
from databases import Templates, settings_for
from persons import signed_in
from product.polling import eventually
from running import Booking, Product, furnish, product

pytestmark = pytest.mark.anyio


async def asked(product: Product, time: str, **facts: Any) -> tuple[Conversation, Any]:
    """A conversation that waits for a person, and what it asks."""
    talk = await opened(product, **facts)
    first = await talk.say(order(time))
    assert first["state"] == "succeeded", first
    waiting = await talk.say("9876543210, regular, yes")
    assert waiting["state"] == "waiting_approval", waiting
    [card] = waiting["approvals"]
    return talk, card


def bookings(product: Product, talk: Conversation) -> list[Any]:
    return product.query(
        "SELECT state, arguments FROM tool_executions WHERE session_id = :s"
        " AND tool_name = 'create_service_booking' AND dispatched_at IS NOT NULL",
        s=talk.id,
    )


async def test_what_is_declined_is_not_done_and_the_model_knows_why(chatting: Product) -> None:
    talk, card = await asked(chatting, "10:30")
    declined = await talk.decide(card, "decline", reason="too early in the day")
    assert declined.json["approval"]["state"] == "declined"
    done = await talk.wait()
    assert done["state"] == "succeeded"
    assert bookings(chatting, talk) == []
    [result] = [p for p in done["message"]["parts"] if p["type"] == "tool_result"]
    assert result["outcome"] == "denied"
    [use] = done["tool_calls"]
    assert "too early in the day" in str(use["result"])
    assert "tool-output-denied" in kinds(await talk.listen())
    [record] = chatting.query(
        "SELECT details FROM audit_records WHERE action = 'approval.declined' AND target = :t",
        t=card["id"],
    )
    assert "chat" in record.details


async def test_edited_arguments_take_another_approval(chatting: Product, booking: Booking) -> None:
    talk, card = await asked(chatting, "11:00")
    bad = await talk.decide(card, "edit", arguments={"appointment_time": 7})
    assert (bad.status, bad.json["code"]) == (422, "chat_bad_edit")
    waiting = (await talk.wait())["message"]["parts"]
    [call] = [part for part in waiting if part["type"] == "tool_call"]
    wanted = call["arguments"] | {"appointment_time": "11:30"}
    edited = await talk.decide(card, "edit", arguments=wanted)
    again = edited.json["approval"]
    assert again["id"] != card["id"]
    assert (again["state"], again["arguments"]["appointment_time"]) == ("pending", "11:30")
    used = await talk.decide(card, "approve")
    assert used.status == 409
    assert bookings(chatting, talk) == []
    await talk.decide(again, "approve")
    done = await talk.wait()
    assert "11:30" in str(booking.rows(booking_id(done["text"])))


async def test_what_was_agreed_to_elsewhere_is_not_edited_any_more(
    chatting: Product, booking: Booking
) -> None:
    talk, card = await asked(chatting, "09:30")
    path = f"/api/approvals/{card['id']}/decision"
    agreed = await chatting.request(
        "POST", path, role="administrator", json={"decision": "approve"}
    )
    assert agreed.status == 200, agreed.body
    waiting = (await talk.wait())["message"]["parts"]
    [call] = [part for part in waiting if part["type"] == "tool_call"]
    wanted = call["arguments"] | {"appointment_time": "11:30"}
    edited = await talk.decide(card, "edit", arguments=wanted)
    assert (edited.status, edited.json["code"]) == (409, "approval_not_open")
    # By now the run may go on by itself.
    assert (await talk.decide(card, "approve")).status in {202, 409}
    done = await talk.wait()
    assert "09:30" in str(booking.rows(booking_id(done["text"])))


async def test_what_somebody_asked_for_who_was_disabled_since_is_not_done(
    chatting: Product,
) -> None:
    asha = await signed_in(chatting)
    talk, card = await asked(asha, "10:00")
    me = (await asha.request("GET", "/api/auth/me")).json["id"].removeprefix("user:")

    async def administer(method: str, path: str, body: dict[str, Any]) -> None:
        reply = await chatting.request(method, path, role="administrator", json=body)
        assert reply.status == 200, reply.body

    await administer("PATCH", f"/api/users/{me}", {"active": False})
    await administer("POST", f"/api/approvals/{card['id']}/decision", {"decision": "approve"})

    async def it_has_ended() -> bool:
        states = "SELECT state FROM chat_runs WHERE session_id = :s AND finished_at IS NULL"
        return chatting.query(states, s=talk.id) == []

    await eventually(it_has_ended, within=15)
    assert bookings(chatting, talk) == []
    [refused] = chatting.query(
        "SELECT rule, error FROM audit_records WHERE session_id = :s AND outcome = 'denied'",
        s=talk.id,
    )
    assert (refused.rule, refused.error) == ("authorize", "caller_gone")


async def test_the_same_request_in_another_conversation_is_asked_there_too(
    chatting: Product,
) -> None:
    cards = []
    for _ in range(2):
        talk = await opened(chatting)
        await talk.say(order("16:00"))
        asked = await talk.say("9876543210, regular, yes")
        assert asked["state"] == "waiting_approval"
        cards += asked["approvals"]
    assert len({card["id"] for card in cards}) == 2


async def test_a_typed_yes_approves_nothing(chatting: Product) -> None:
    talk, card = await asked(chatting, "16:00")
    after = await talk.say("yes")
    assert bookings(chatting, talk) == []
    [old] = chatting.query("SELECT state, reason FROM approvals WHERE id = :i", i=card["id"])
    assert (old.state, old.reason) == (
        "declined",
        "The person wrote another message instead of deciding.",
    )
    assert after["state"] in {"succeeded", "waiting_approval"}
    assert (await talk.decide(card, "approve")).status == 409


async def test_another_message_takes_the_place_of_the_question(chatting: Product) -> None:
    talk, _ = await asked(chatting, "14:00")
    reader = talk.runs[-1]
    async with talk.following(reader) as events:
        await anext(events)
        after = await talk.say("What can you do?")
        rest = [event async for event in events]
    assert rest[-1].data == "[DONE]"
    assert after["state"] == "succeeded"
    roles = [(row["role"], row["status"]) for row in await talk.messages()]
    assert roles[-3:] == [("assistant", "stopped"), ("user", "complete"), ("assistant", "complete")]
    told = [row for row in await talk.messages() if row["role"] == "assistant"][-2]
    [result] = [part for part in told["parts"] if part["type"] == "tool_result"]
    assert result["outcome"] == "denied"


async def test_only_the_owner_decides_and_only_once(chatting: Product) -> None:
    talk, card = await asked(chatting, "14:30")
    path = f"/approvals/{card['id']}/decision"
    stranger = await talk.ask("POST", path, role="integrator", json={"decision": "approve"})
    assert stranger.status == 404
    other = await opened(chatting)
    elsewhere = await other.decide(card, "approve")
    assert (elsewhere.status, elsewhere.json["code"]) == (404, "unknown_approval")
    assert (await talk.decide(card, "approve")).status == 202
    await talk.wait()
    assert (await talk.decide(card, "approve")).status == 409
    assert len(bookings(chatting, talk)) == 1


async def test_stopping_while_a_person_is_asked_withdraws_the_question(chatting: Product) -> None:
    talk, card = await asked(chatting, "15:00")
    assert (await talk.ask("POST", "/stop")).json["state"] == "stopped"
    assert (await talk.decide(card, "approve")).status == 409
    assert (await talk.ask("GET", "/approvals")).json == []
    assert bookings(chatting, talk) == []


@pytest.fixture(params=["sqlite", "postgresql"])
def restarted(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str, paced_model: str
) -> Any:
    """Starts the product over and over on one database."""
    with templates.clone(request.param) as url:
        settings = settings_for(url, **by_model(paced_model))
        keys = asyncio.run(furnish(settings, booking_url=booking_url))
        yield lambda: product(settings, booking_url=booking_url, keys=keys)


async def test_a_question_survives_a_restart(restarted: Any, booking: Booking) -> None:
    with restarted() as running:
        talk, card = await asked(running, "15:30")
    with restarted() as running:
        talk = Conversation(running, talk.id, talk.role, talk.runs)
        [still] = (await talk.ask("GET", "/approvals")).json
        assert still == card
        async with talk.following() as events:
            heard = [await anext(events)]
            assert (await talk.decide(card, "approve")).status == 202
            heard += [event async for event in events]
        done = await talk.wait()
        assert booking.rows(booking_id(done["text"]))
        assert said(heard) == done["text"]
        assert kinds(heard).count("start") == 1
        assert len(bookings(running, talk)) == 1


async def test_a_page_of_messages_holds_what_its_parts_refer_to(chatting: Product) -> None:
    talk, card = await asked(chatting, "11:30")

    page = (await talk.ask("GET", "/messages")).json

    answers = [item for item in page["items"] if item["role"] == "assistant"]
    referred = {
        part["execution_id"]
        for answer in answers
        for part in answer["parts"]
        if part["type"] == "tool_result"
    }
    assert referred
    assert referred <= {use["id"] for use in page["tool_uses"]}
    assert [row["id"] for row in page["approvals"]] == [card["id"]]
    assert {run["id"] for run in page["runs"]} == {answer["run_id"] for answer in answers}
