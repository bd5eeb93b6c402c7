"""The readable journey of a conversation: kept, retrieved, remembered, counted, kept apart."""

import time
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from chat.conversations import caller
from msil_mcp.chat.context import Limits
from msil_mcp.chat.errors import SessionNotFound
from msil_mcp.chat.messages import Draft, Usage
from msil_mcp.chat.models import ChatMessage, ChatSession
from msil_mcp.chat.parts import TextPart, ToolCallPart, ToolResultPart
from msil_mcp.chat.session_service import SessionChange, SessionService
from msil_mcp.chat.sessions import SessionFilters
from msil_mcp.principal import Principal
from msil_mcp.tools.call import ToolCall, ToolResult
from running import Product

pytestmark = pytest.mark.anyio


@dataclass
class Person:
    """Somebody with a key of the product, and the service as the product has it."""

    product: Product
    principal: Principal
    service: SessionService

    def does(self, work: Any) -> Any:
        """Run one method of the service where the product runs."""
        assert self.product.server is not None
        return self.product.server.submit(work)

    def begins(self, title: str = "") -> ChatSession:
        return self.does(self.service.create(self.principal, title=title))

    def says(self, chat: ChatSession, text: str) -> ChatMessage:
        return self.adds(chat, Draft(role="user", parts=(TextPart(text),)))

    def adds(self, chat: ChatSession, draft: Draft) -> ChatMessage:
        return self.does(self.service.add_message(self.principal, chat.id, draft))

    def calls(self, chat: ChatSession, tool: str, arguments: dict[str, Any]) -> ToolResult:
        """A call of a governed tool, as a turn of the conversation makes it."""
        assert self.product.app is not None
        state = self.product.app.state
        call = ToolCall(
            principal=self.principal,
            tool=state.snapshots.current().tools[tool],
            arguments=arguments,
            origin="chat",
            correlation_id="journey",
            deadline=time.monotonic() + 10,
            session_id=chat.id,
        )
        return self.does(state.invoker.invoke(call))


def somebody(product: Product, role: str) -> Person:
    assert product.app is not None
    assert product.server is not None
    principal = product.server.submit(caller(product, role))
    return Person(product, principal, SessionService(product.app.state.database))


@pytest.fixture
def asha(shared_product: Product) -> Person:
    return somebody(shared_product, "user")


@pytest.fixture
def ravi(shared_product: Product) -> Person:
    return somebody(shared_product, "integrator")


def test_session_crud(asha: Person) -> None:
    chat = asha.begins("Service for the Swift")
    assert asha.does(asha.service.get(asha.principal, chat.id)).title == "Service for the Swift"
    change = SessionChange(title="Service on Monday", pinned=True)
    asha.does(asha.service.update(asha.principal, chat.id, change))
    rows, _ = asha.does(asha.service.list_sessions(asha.principal, SessionFilters(search="monday")))
    assert [(row.id, row.pinned) for row in rows] == [(chat.id, True)]
    asha.does(asha.service.delete(asha.principal, chat.id))
    with pytest.raises(SessionNotFound):
        asha.does(asha.service.get(asha.principal, chat.id))
    again = asha.does(asha.service.get_or_create(asha.principal, "kiosk 4"))
    assert asha.does(asha.service.get_or_create(asha.principal, "kiosk 4")).id == again.id


async def test_message_persistence_and_retrieval(asha: Person) -> None:
    chat = asha.begins()
    asha.says(chat, "Book a service for MH12AB1234")
    asha.adds(chat, Draft(role="assistant", parts=(TextPart("When shall it be?"),)))
    path = f"/api/chat/sessions/{chat.id}"
    page = (await asha.product.request("GET", f"{path}/messages")).json
    assert [
        (item["sequence"], item["role"], item["parts"][0]["text"]) for item in page["items"]
    ] == [
        (1, "user", "Book a service for MH12AB1234"),
        (2, "assistant", "When shall it be?"),
    ]
    session = (await asha.product.request("GET", path)).json["session"]
    assert session["title"] == "Book a service for MH12AB1234"
    assert session["last_message_at"] == page["items"][1]["created_at"]


def test_conversation_history(asha: Person) -> None:
    chat = asha.begins()
    for number in range(1, 4):
        asha.says(chat, f"question {number}")
        asha.adds(chat, Draft(role="assistant", parts=(TextPart(f"answer {number}"),)))
    history = asha.does(asha.service.history(asha.principal, chat.id))
    assert [row.parts[0].text for row in history][:2] == ["question 1", "answer 1"]
    context = asha.does(asha.service.context(asha.principal, chat.id, Limits(messages=5)))
    assert [entry.parts[0].text for entry in context.entries] == [
        "question 2",
        "answer 2",
        "question 3",
        "answer 3",
    ]


async def test_tool_execution_recording(asha: Person) -> None:
    chat = asha.begins()
    asha.says(chat, "Which car is MH12AB1234, and which MH01ZZ9999?")
    found = asha.calls(chat, "resolve_vehicle", {"registration_number": "MH12AB1234"})
    missing = asha.calls(chat, "resolve_vehicle", {"registration_number": "MH01ZZ9999"})
    refused = asha.calls(chat, "resolve_vehicle", {"plate": "MH12AB1234"})
    path = f"/api/chat/sessions/{chat.id}/executions"
    uses = (await asha.product.request("GET", path)).json["items"]
    assert [use["id"] for use in uses] == [r.execution_id for r in (found, missing, refused)]
    assert [use["success"] for use in uses] == [True, False, False]
    assert uses[0]["arguments"] == {"registration_number": "MH12AB1234"}
    assert uses[0]["result"]["model"] == "Swift"
    assert uses[0]["duration_ms"] > 0
    assert uses[1]["error"]


def test_a_result_is_remembered_by_reference(asha: Person) -> None:
    chat = asha.begins()
    asha.says(chat, "Which car is MH12AB1234?")
    arguments = {"registration_number": "MH12AB1234"}
    done = asha.calls(chat, "resolve_vehicle", arguments)
    parts = (
        ToolCallPart(call_id="c1", tool="resolve_vehicle", arguments=arguments),
        ToolResultPart(
            call_id="c1",
            tool="resolve_vehicle",
            outcome="succeeded",
            execution_id=done.execution_id,
        ),
        TextPart("A Swift."),
    )
    asha.adds(chat, Draft(role="assistant", parts=parts))
    context = asha.does(asha.service.context(asha.principal, chat.id, Limits()))
    assert context.entries[1].parts[1].text == done.text


async def test_statistics(asha: Person) -> None:
    chat = asha.begins()
    asha.says(chat, "Which car?")
    usage = Usage(input_tokens=1_000, output_tokens=500, cached_tokens=200, cost_nanos=450_000)
    asha.adds(chat, Draft(role="assistant", parts=(TextPart("A Swift."),), usage=usage))
    asha.calls(chat, "resolve_vehicle", {"registration_number": "MH12AB1234"})
    asha.calls(chat, "resolve_vehicle", {"registration_number": "MH01ZZ9999"})
    path = f"/api/chat/sessions/{chat.id}/statistics"
    found = (await asha.product.request("GET", path)).json
    assert (found["messages"], found["tool_calls"], found["success_rate"]) == (2, 2, 0.5)
    assert (found["input_tokens"], found["output_tokens"], found["cost_usd"]) == (
        1000,
        500,
        0.00045,
    )
    assert 0 < found["average_tool_ms"] <= found["p95_tool_ms"]
    assert found["first_activity_at"] < found["last_activity_at"]


def test_multi_session_isolation(asha: Person, ravi: Person) -> None:
    hers, another, his = asha.begins("hers"), asha.begins("another"), ravi.begins("his")
    asha.says(hers, "my number is 9876543210")
    ravi.says(his, "private to Ravi")
    assert asha.does(asha.service.history(asha.principal, another.id)) == []
    for session_id in (his.id, "0" * 30):
        with pytest.raises(SessionNotFound):
            asha.does(asha.service.history(asha.principal, session_id))
    rows, _ = ravi.does(ravi.service.list_sessions(ravi.principal))
    assert {row.owner_id for row in rows} == {ravi.principal.id}
    found, _ = ravi.does(
        ravi.service.list_sessions(ravi.principal, SessionFilters(search="9876543210"))
    )
    assert found == []


@pytest.mark.parametrize("form", ["json", "markdown"])
async def test_an_export_masks_what_the_tools_declare_personal(asha: Person, form: str) -> None:
    chat = asha.begins("Who am I?")
    arguments = {"mobile": "9876543210"}
    done = asha.calls(chat, "resolve_customer", arguments)
    customer = msgspec.json.decode(done.text)
    parts = (
        ToolCallPart(call_id="c1", tool="resolve_customer", arguments=arguments),
        ToolResultPart(
            call_id="c1",
            tool="resolve_customer",
            outcome="succeeded",
            execution_id=done.execution_id,
        ),
        ToolCallPart(call_id="c2", tool="resolve_customer", arguments=arguments),
        TextPart(f"You are {customer['name']}, of {customer['address'].upper()}."),
    )
    asha.adds(chat, Draft(role="assistant", parts=parts))
    path = f"/api/chat/sessions/{chat.id}/export?format={form}"
    text = (await asha.product.request("GET", path)).body.decode()
    personal = [customer[field] for field in ("name", "mobile", "email", "address")]
    assert [value for value in personal if value.casefold() in text.casefold()] == []
    assert customer["customer_id"] in text
