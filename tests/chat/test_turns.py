"""Turns by REST: stored before they are answered, one at a time, bounded, stopped and branched."""

from collections.abc import Iterator

import pytest

from chat.conversing import BASE, BOOKING_TOOLS, booking_id, by_model, opened, order, said, tools
from databases import Templates, settings_for
from running import Booking, Product, product

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def strict(templates: Templates, booking_url: str, paced_model: str) -> Iterator[Product]:
    """A product that allows little, with a model that refuses its key."""
    changes = by_model(paced_model) | {
        "chat_turn_model_requests": 2,
        "chat_daily_tokens": 20_000,
        "models_by_role": {"user": ["openai:demo-401"]},
    }
    with (
        templates.clone("sqlite") as url,
        product(settings_for(url, **changes), booking_url=booking_url) as running,
    ):
        yield running


async def test_the_whole_booking_conversation_ends_as_a_row(
    chatting: Product, booking: Booking
) -> None:
    talk = await opened(chatting)
    first = await talk.say(order("10:00"))
    assert (first["state"], tools(first)) == ("succeeded", BOOKING_TOOLS[:3])
    asked = await talk.say("9876543210, regular, yes")
    assert asked["state"] == "waiting_approval"
    [card] = asked["approvals"]
    assert "9876543210" not in str(card)
    assert card["tool"] == "create_service_booking"
    assert (await talk.decide(card, "approve")).status == 202
    done = await talk.wait()
    assert (done["state"], tools(done)) == ("succeeded", BOOKING_TOOLS[3:])
    assert booking.rows(booking_id(done["text"]))
    rows = chatting.query(
        "SELECT origin, run_id, message_id, state, dispatched_at FROM tool_executions"
        " WHERE session_id = :s",
        s=talk.id,
    )
    assert len(rows) == 5
    assert all(row.origin == "chat" and row.state == "succeeded" for row in rows)
    assert all(row.dispatched_at for row in rows), "a call was sent without a stored intent"
    assert {row.message_id for row in rows} == {
        message["id"] for message in await talk.messages() if message["role"] == "assistant"
    }


async def test_a_message_is_stored_before_it_is_answered(chatting: Product) -> None:
    talk = await opened(chatting)
    turn = await talk.begin("Hello")
    [message] = [row for row in await talk.messages() if row["role"] == "user"]
    assert message["id"] == turn["message_id"]
    read = (await talk.ask("GET", "")).json
    assert read["active_run"] is None or read["active_run"]["id"] == turn["run_id"]
    assert (await talk.wait())["usage"]["input_tokens"] > 0


async def test_the_same_client_id_is_the_same_turn(chatting: Product) -> None:
    talk = await opened(chatting)
    first = await talk.begin("Hello", client_id="tab-1/1")
    again = await talk.begin("Hello", client_id="tab-1/1")
    assert again["run_id"] == first["run_id"]
    await talk.wait()
    assert (await talk.begin("Hello", client_id="tab-1/1"))["run_id"] == first["run_id"]
    assert [row["role"] for row in await talk.messages()] == ["user", "assistant"]


async def test_stopping_ends_the_answer_and_keeps_what_was_said(chatting: Product) -> None:
    talk = await opened(chatting)
    await talk.begin("What can you do for me?")
    async with talk.following() as events:
        async for event in events:
            if event.data["type"] == "text-delta":
                break
        metrics = await chatting.request("GET", "/metrics", role=None)
        assert b"\nchat_sessions_active 1.0\n" in metrics.body
        assert (await talk.ask("POST", "/stop")).status == 202
        rest = [event async for event in events]
    assert rest[-1].data == "[DONE]"
    assert "abort" in [event.data["type"] for event in rest[:-1]]
    ended = await talk.wait()
    assert (ended["state"], ended["message"]["status"]) == ("stopped", "stopped")
    assert ended["text"] != ""
    whole = said(await talk.listen(talk.runs[0]))
    assert whole == ended["text"]
    assert (await talk.say("Hello"))["state"] == "succeeded"
    nothing = await talk.ask("POST", "/stop")
    assert (nothing.status, nothing.json["code"]) == (404, "chat_run_not_found")


async def test_a_message_is_edited_and_an_answer_written_again_as_branches(
    chatting: Product,
) -> None:
    talk = await opened(chatting)
    await talk.say("Hello")
    question, answer = await talk.messages()
    await talk.begin("What can you do?", edit_id=question["id"])
    await talk.wait()
    edited, other = await talk.messages()
    assert edited["parts"][0]["text"] == "What can you do?"
    assert edited["parent_id"] is None
    await talk.begin(again_id=other["id"])
    await talk.wait()
    same, again = await talk.messages()
    assert (same["id"], again["parent_id"]) == (edited["id"], edited["id"])
    assert again["id"] != other["id"]
    everything = await talk.messages(branch="all")
    assert [row["sequence"] for row in everything] == [1, 2, 3, 4, 5]
    assert answer["id"] in {row["id"] for row in everything}


async def test_a_limit_ends_the_turn_and_says_which(strict: Product) -> None:
    talk = await opened(strict)
    ended = await talk.say(order("11:00"))
    assert (ended["state"], ended["usage"]["limit_hit"]) == ("failed", "model_requests")
    assert "limit of 2 model requests" in ended["text"]
    assert ended["message"]["status"] == "complete"
    assert "limit of 2 model requests" in said(await talk.listen())


async def test_a_model_that_fails_says_why_and_the_conversation_goes_on(strict: Product) -> None:
    talk = await opened(strict, model="openai:demo-401")
    await talk.begin("Hello")
    events = await talk.listen()
    [problem] = [e.data for e in events[:-1] if e.data["type"] == "error"]
    assert "did not accept the API key" in problem["errorText"]
    ended = await talk.wait()
    assert (ended["state"], ended["usage"]["error"]) == ("failed", "model_bad_key")
    await talk.ask("PATCH", "", json={"model": ""})
    [question] = await talk.messages()
    await talk.begin(again_id=question["id"])
    assert (await talk.wait())["state"] == "succeeded"


async def test_a_spent_budget_is_refused_by_name(strict: Product) -> None:
    talk = await opened(strict, role="administrator")
    while (await talk.ask("POST", "/turns", json={"text": "Hello"})).status == 202:
        while (await talk.ask("GET", "")).json["active_run"] is not None:
            pass
    await talk.ask("DELETE", "")
    body = {"message": "Hello"}
    refused = await strict.request("POST", "/api/chat/send", role="administrator", json=body)
    assert (refused.status, refused.json["code"]) == (429, "chat_budget_spent")
    assert "of 20,000 tokens a day" in refused.json["detail"]
    assert int(refused.headers["retry-after"]) > 0


async def test_a_script_sends_and_gets_the_whole_answer(chatting: Product) -> None:
    body = {"message": "Hello", "session_id": "my script"}
    first = (await chatting.request("POST", "/api/chat/send", json=body)).json
    again = (await chatting.request("POST", "/api/chat/send", json=body)).json
    assert first["session_id"] == again["session_id"]
    assert first["text"] == first["message"]["parts"][0]["text"]
    assert (first["state"], first["approvals"]) == ("succeeded", [])
    assert first["usage"]["model_requests"] == 1


async def test_a_stranger_can_neither_say_nor_hear_nor_stop(chatting: Product) -> None:
    talk = await opened(chatting)
    turn = await talk.begin("Hello")
    await talk.wait()
    for method, path, body in (
        ("POST", "/turns", {"text": "me too"}),
        ("GET", f"/turns/{turn['run_id']}", None),
        ("GET", f"/turns/{turn['run_id']}/events", None),
        ("POST", "/stop", None),
        ("GET", "/approvals", None),
        ("POST", "/approvals/none/decision", {"decision": "approve"}),
    ):
        options = {} if body is None else {"json": body}
        reply = await talk.ask(method, path, role="integrator", **options)
        assert reply.status == 404, (method, path, reply.body)
    other = await opened(chatting)
    wrong = await chatting.request("GET", f"{BASE}/{other.id}/turns/{turn['run_id']}/events")
    assert wrong.status == 404
