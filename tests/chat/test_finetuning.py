"""Rated answers become examples in OpenAI's form: whole, valid, and with nobody's data in them."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import TypeAdapter

from chat.conversations import answer, call, result, say, user
from chat.conversing import BOOKING_TOOLS, Conversation, booking_id, opened, order
from msil_mcp.chat.finetuning import Examples, Wanted
from msil_mcp.chat.hiding import Hiding
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database, utc_now
from msil_mcp.openapi.validation import compile_validator
from msil_mcp.principal import Principal
from running import Product

PATH = "/api/chat/export/finetuning"
PERSONAL = ("9876543210", "98765 43210", "MH12AB1234", "MH 12 AB 1234", "Aarav", "Kulkarni",
            "aarav.kulkarni@example.com", "Example Heights")  # fmt: skip
MESSAGES = TypeAdapter(list[ChatCompletionMessageParam])
TOOLS = TypeAdapter(list[ChatCompletionToolParam])


def check(example: dict[str, Any]) -> None:
    """As strict as a fine-tuning service: known members, every call of a listed tool answered."""
    assert set(example) <= {"messages", "tools"}
    MESSAGES.validate_python(example["messages"])
    TOOLS.validate_python(example.get("tools", []))
    tools = {tool["function"]["name"]: tool["function"] for tool in example.get("tools", [])}
    assert example["messages"][0]["role"] == "system"
    assert example["messages"][-1]["role"] == "assistant"
    waiting: set[str] = set()
    for message in example["messages"]:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
            continue
        assert not waiting
        assert set(message) <= {"role", "content", "tool_calls", "weight"}
        assert ("weight" in message) <= (message["role"] == "assistant")
        for asked in message.get("tool_calls", ()):
            waiting.add(asked["id"])
            function = tools[asked["function"]["name"]]
            arguments = msgspec.json.decode(asked["function"]["arguments"])
            compile_validator(function["parameters"]).validate(arguments)
    assert not waiting


def calls(messages: list[dict[str, Any]]) -> list[str]:
    return [
        asked["function"]["name"] for message in messages for asked in message.get("tool_calls", ())
    ]


async def exported(product: Product, query: str = "") -> list[dict[str, Any]]:
    reply = await product.request("GET", f"{PATH}?{query}", role="administrator")
    assert reply.status == 200, reply.body
    assert reply.headers["content-type"].startswith("application/x-ndjson")
    return [msgspec.json.decode(line) for line in reply.body.splitlines()]


async def rate(talk: Conversation, view: Any, rating: str) -> None:
    path = f"/messages/{view['message']['id']}/feedback"
    assert (await talk.ask("PUT", path, json={"rating": rating})).status == 200


@pytest.mark.anyio
async def test_a_praised_booking_becomes_an_example_without_anybodys_data(
    chatting: Product,
) -> None:
    talk = await opened(chatting)
    first = await talk.say(order("10:30"))
    asked = await talk.say("9876543210, regular, yes")
    await talk.decide(asked["approvals"][0], "approve")
    booked = await talk.wait()
    who = await talk.say("Who is the customer with the mobile number 98765 43210?")
    assert "Aarav Kulkarni" in who["text"]
    await rate(talk, booked, "up")
    await rate(talk, who, "up")
    booking, owner = (await exported(chatting))[-2:]
    for example in (booking, owner):
        check(example)
        written = msgspec.json.encode(example["messages"]).decode()
        assert not [value for value in PERSONAL if value.casefold() in written.casefold()]
    assert {tool["function"]["name"] for tool in booking["tools"]} >= set(BOOKING_TOOLS)
    assert calls(booking["messages"]) == BOOKING_TOOLS
    learnt = [m for m in booking["messages"] if m["role"] == "assistant" and "weight" not in m]
    assert calls(learnt) == BOOKING_TOOLS[3:]
    assert booking_id(booked["text"]) in learnt[-1]["content"]
    said = {m["content"] for m in booking["messages"] if m["role"] == "user"}
    given = msgspec.json.decode(learnt[0]["tool_calls"][0]["function"]["arguments"])
    assert f"{given['customer_mobile']}, regular, yes" in said
    assert any(given["vehicle_registration"] in text for text in said)
    [last] = [m for m in owner["messages"] if m["role"] == "assistant" and "content" in m][-1:]
    assert "A*** K***" in last["content"]
    await rate(talk, first, "down")
    [bad] = await exported(chatting, "rating=down")
    assert calls(bad["messages"]) == BOOKING_TOOLS[:3]
    check(bad)


@pytest.mark.anyio
async def test_only_what_is_rated_and_of_the_days_asked_for_is_exported(chatting: Product) -> None:
    talk = await opened(chatting)
    before = len(await exported(chatting))
    praised = await talk.say("Hello")
    assert len(await exported(chatting)) == before
    await rate(talk, praised, "up")
    example = (await exported(chatting))[-1]
    check(example)
    assert "tools" not in example
    today = utc_now().date()
    past, future = today - timedelta(days=1), today + timedelta(days=1)
    assert len(await exported(chatting, f"from={past}&to={future}")) == before + 1
    assert (
        await exported(chatting, f"to={past}") == await exported(chatting, f"from={future}") == []
    )
    await talk.ask("DELETE", "")
    assert len(await exported(chatting)) == before


@pytest.mark.anyio
async def test_who_may_not_export_is_refused_and_an_export_is_recorded(chatting: Product) -> None:
    for role in ("user", "integrator", "auditor", "operator"):
        assert (await chatting.request("GET", PATH, role=role)).json["permission"] == "chat:export"
    await exported(chatting, "rating=down&from=2026-01-01")
    audit = "/api/audit?action=chat.exported&limit=1"
    [record] = (await chatting.request("GET", audit, role="administrator")).json["items"]
    path = f"/api/audit/{record['id']}"
    detail = (await chatting.request("GET", path, role="administrator")).json
    assert "2026-01-01" in msgspec.json.encode(detail).decode()


async def lines(database: Database, **wanted: Any) -> tuple[Examples, list[Any]]:
    examples = Examples(database=database, wanted=Wanted(**wanted), context_tokens=32_000)
    stream: AsyncIterator[bytes] = examples.lines()
    return examples, [msgspec.json.decode(line) async for line in stream]


@pytest.mark.anyio
async def test_pages_hold_every_answer_once_and_what_cannot_be_learnt_is_left_out(
    service: SessionService, database: Database, asha: Principal
) -> None:
    _, before = await lines(database, rating="down")
    chat = await service.create(asha)
    for number in range(45):
        _, said = await say(service, asha, chat, user(f"question {number}"), answer(f"a{number}"))
        await service.rate(asha, chat.id, said.id, rating="down", comment=None)
    gone = answer(call("c1", "no_such_tool"), result("c1", "no_such_tool"), "done")
    for status in ("complete", "partial"):
        cut = answer(*gone.parts, status=status)
        _, said = await say(service, asha, chat, user("call it"), cut)
        await service.rate(asha, chat.id, said.id, rating="down", comment=None)
    examples, found = await lines(database, rating="down")
    fresh = found[len(before) :]
    assert [example["messages"][-1]["content"] for example in fresh] == [
        f"a{number}" for number in range(45)
    ]
    assert (examples.written, examples.left_out) == (len(found), 1)
    weights = [m.get("weight") for m in fresh[3]["messages"] if m["role"] == "assistant"]
    assert weights == [0, 0, 0, None]


def test_values_masked_where_declared_are_masked_wherever_they_are_said() -> None:
    hiding = Hiding()
    plain = {"name": "Asha Rao", "ids": ["77", 123456, "x"], "note": "call her", "n": None}
    hidden = {"name": "A*** R***", "ids": ["77", "***", "x"], "note": "call her", "n": None}
    hiding.note(plain, hidden)
    assert hiding.hide("ASHA RAO and Asha, not Ashas; 123456, not 1234567") == (
        "A*** R*** and A***, not Ashas; ***, not 1234567"
    )
    assert hiding.hide({"a": ["Rao", 5]}) == {"a": ["R***", 5]}
    unknown = Hiding()
    assert unknown.hide("Asha Rao") == "Asha Rao"
    unknown.note({"pin": "12"}, {"pin": "***"})
    assert unknown.hide("at 12:30") == "at 12:30"


def test_values_that_begin_with_a_sign_and_names_that_became_one_are_borne() -> None:
    hiding = Hiding()
    hiding.note({"to": "+91 98765 43210"}, {"to": "+91 98******10"})
    hiding.note({"9876543210": "a", "9876543211": "b"}, {"98******1*": "b"})
    assert hiding.hide("Call +91 98765 43210 or 91 98765 43210.") == (
        "Call +91 98******10 or 91 98******10."
    )


def test_what_is_said_costs_its_words_however_much_is_hidden() -> None:
    hiding = Hiding()
    for number in range(20_000):
        hiding.note(f"Person{number} Family{number}", "P*** F***")
    text = "Nothing of this is about anybody known here. " * 2_000
    began = time.process_time()
    assert hiding.hide(text) == text
    assert time.process_time() - began < 1
