"""Conversations of people, for those who may look: found, masked, and recorded."""

import json
from typing import Any

import msgspec
import pytest

from chat.conversations import answer, caller, execution, result, user
from msil_mcp.chat.messages import Draft
from msil_mcp.chat.models import ChatSession
from msil_mcp.chat.parts import TextPart, ToolCallPart, ToolResultPart
from msil_mcp.chat.session_service import SessionService
from msil_mcp.governance.executions import stored_result
from msil_mcp.tools.call import ToolResult
from running import Product

pytestmark = pytest.mark.anyio
BASE = "/api/conversations"


async def look(product: Product, path: str = "", *, role: str = "administrator") -> Any:
    reply = await product.request("GET", f"{BASE}{path}", role=role)
    assert reply.status == 200, reply.body
    return reply.json


async def talk(product: Product, title: str, *said: Draft, role: str = "user") -> str:
    """A conversation in which these things were said."""

    async def say() -> str:
        assert product.app is not None
        owner = await caller(product, role)
        service = SessionService(product.app.state.database)
        chat = await service.create(owner, title=title)
        for draft in said:
            await service.add_message(owner, chat.id, draft)
        return chat.id

    assert product.server is not None
    return product.server.submit(say())


def looks(product: Product, target: str) -> list[Any]:
    query = "SELECT principal_name, details FROM audit_records WHERE action = :a AND target = :t"
    return product.query(query, a="chat.read", t=target)


async def test_what_was_said_is_read_masked(shared_product: Product) -> None:
    call = ToolCallPart(call_id="c1", tool="resolve_customer", arguments={"mobile": "9876543210"})
    result = ToolResultPart(
        call_id="c1", tool="resolve_customer", outcome="succeeded", text="Asha, 9876543210"
    )
    session_id = await talk(
        shared_product,
        "Call me on 9876543210",
        user("My number is 9876543210"),
        Draft(role="assistant", parts=(call, result, TextPart("You are on 9876543210."))),
    )
    found = await look(shared_product, f"/{session_id}/messages")
    assert [one["role"] for one in found["items"]] == ["user", "assistant"]
    [made] = found["items"][1]["tool_calls"]
    assert (made["tool"], made["outcome"]) == ("resolve_customer", "succeeded")
    detail = await look(shared_product, f"/{session_id}")
    assert (detail["messages"], detail["statistics"]["user_messages"]) == (2, 1)
    assert detail["owner_name"] == "test user"
    assert "9876543210" not in f"{found}{detail}"


async def test_what_tools_declare_personal_is_masked_where_it_is_said(
    shared_product: Product,
) -> None:
    session_id = await talk(
        shared_product,
        "A car for Aarav Kulkarni",
        user("I am aarav."),
        answer("Welcome, Aarav Kulkarni.", result("c1", "resolve_customer", text=None)),
        answer("Mr Kulkarni, it is booked."),
    )
    customer = {"customer_id": "C-1", "name": "Aarav Kulkarni", "mobile": "9876543210"}
    found = ToolResult(
        outcome="succeeded",
        text=json.dumps(customer),
        structured=msgspec.Raw(json.dumps(customer).encode()),
    )

    async def call() -> None:
        assert shared_product.app is not None
        database = shared_product.app.state.database
        async with database.unit_of_work() as session:
            chat = await session.get(ChatSession, session_id)
            facts = {"tool_name": "resolve_customer", "arguments": '{"mobile":"9876543210"}'}
            session.add(execution(chat, result=stored_result(found), **facts))

    assert shared_product.server is not None
    shared_product.server.submit(call())
    pages = [await look(shared_product, f"/{session_id}")]
    path = f"/{session_id}/messages?limit=1"
    pages.append(await look(shared_product, path))
    while cursor := pages[-1]["next_cursor"]:
        pages.append(await look(shared_product, f"{path}&cursor={cursor}"))
    seen = json.dumps(pages)
    assert len(pages) == 4
    assert [name for name in ("aarav", "kulkarni") if name in seen.casefold()] == []
    assert "Welcome, A*** K***." in seen


async def test_messages_come_in_pages_from_the_beginning(shared_product: Product) -> None:
    session_id = await talk(shared_product, "long", *(user(f"line {n}") for n in range(5)))
    first = await look(shared_product, f"/{session_id}/messages?limit=3")
    rest = await look(shared_product, f"/{session_id}/messages?cursor={first['next_cursor']}")
    texts = [one["text"] for one in first["items"] + rest["items"]]
    assert texts == [f"line {n}" for n in range(5)]


async def test_conversations_of_everybody_are_found_by_what_was_said(
    shared_product: Product,
) -> None:
    mine = await talk(shared_product, "first", user("the zebra crossed"))
    theirs = await talk(shared_product, "second", answer("a zebra again"), role="integrator")
    found = await look(shared_product, "?q=ZEBRA")
    assert [one["id"] for one in found["items"]] == [theirs, mine]
    assert {one["owner_name"] for one in found["items"]} == {"test user", "test integrator"}
    owner = found["items"][0]["owner_id"]
    only = await look(shared_product, f"?q=zebra&owner={owner}")
    assert [one["id"] for one in only["items"]] == [theirs]
    first = await look(shared_product, "?q=zebra&limit=1")
    rest = await look(shared_product, f"?q=zebra&cursor={first['next_cursor']}")
    assert [one["id"] for one in rest["items"]] == [mine]
    past = await look(shared_product, "?q=zebra&until=2020-01-01")
    assert past["items"] == []


async def test_deleted_ones_are_shown_when_asked_for(shared_product: Product) -> None:
    session_id = await talk(shared_product, "quagga", user("quagga"))
    await shared_product.request("DELETE", f"/api/chat/sessions/{session_id}")
    assert (await look(shared_product, "?q=quagga"))["items"] == []
    [gone] = (await look(shared_product, "?q=quagga&deleted=only"))["items"]
    assert gone["deleted_at"] is not None
    assert len((await look(shared_product, "?q=quagga&deleted=with"))["items"]) == 1


async def test_every_look_is_on_the_record(shared_product: Product) -> None:
    session_id = await talk(shared_product, "watched", user("hello"))
    target = f"chat_session:{session_id}"
    assert looks(shared_product, target) == []
    await look(shared_product, f"/{session_id}")
    await look(shared_product, f"/{session_id}/messages")
    records = looks(shared_product, target)
    assert [record.principal_name for record in records] == ["test administrator"] * 2
    assert "/messages" in records[1].details
    before = len(looks(shared_product, "chat_sessions"))
    await look(shared_product, "?q=something+private")
    listed = looks(shared_product, "chat_sessions")
    assert len(listed) == before + 1
    assert "something private" in listed[-1].details


async def test_nobody_else_looks(shared_product: Product) -> None:
    session_id = await talk(shared_product, "closed", user("hello"))
    for role in ("user", "integrator", "auditor", "operator"):
        for path in ("", f"/{session_id}", f"/{session_id}/messages"):
            reply = await shared_product.request("GET", f"{BASE}{path}", role=role)
            assert (reply.status, reply.json["permission"]) == (403, "chat:read_all")
    missing = await shared_product.request("GET", f"{BASE}/{'0' * 20}", role="administrator")
    assert (missing.status, missing.json["code"]) == (404, "chat_session_not_found")
