"""Exports: whole, in two forms, and with nothing personal in them."""

import pytest

from chat.conversations import answer, call, execution, result, say, user
from msil_mcp.chat.errors import SessionNotFound
from msil_mcp.chat.export import Format
from msil_mcp.chat.models import ChatSession
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database
from msil_mcp.governance.executions import stored_result
from msil_mcp.principal import Principal
from msil_mcp.tools.call import ToolResult

pytestmark = pytest.mark.anyio

CANARIES = (
    "9876543210",
    "98765 43210",
    "asha@example.com",
    "MH12AB1234",
    "sk-canary0123456789abcd",
)


async def exported(
    service: SessionService, who: Principal, chat: ChatSession, kind: Format, *, tools: bool = True
) -> str:
    conversation = await service.export(who, chat.id, with_tools=tools)
    return b"".join([part async for part in conversation.stream(kind, language="en")]).decode()


async def spoken(service: SessionService, database: Database, who: Principal) -> ChatSession:
    chat = await service.create(who, title="Call 9876543210")
    personal = " ".join(CANARIES)
    row = execution(
        chat,
        arguments='{"mobile":"9876543210"}',
        result=stored_result(ToolResult(outcome="succeeded", text=personal)),
    )
    async with database.unit_of_work() as session:
        session.add(row)
    parts = (
        "Looking.",
        call("c1", mobile="9876543210", registration_number="MH12AB1234"),
        call("c2", "create_service_booking", notes="```\n# not a heading"),
        result("c1", text=None, execution_id=row.id),
        result("c2", "create_service_booking", outcome="denied", text="A person declined."),
        personal,
    )
    _, answered = await say(service, who, chat, user(f"I am {personal}"), answer(*parts))
    await service.rate(who, chat.id, answered.id, rating="up", comment=personal)
    return chat


@pytest.mark.parametrize("kind", ["json", "markdown"])
@pytest.mark.parametrize("tools", [True, False])
async def test_an_export_holds_the_words_and_nothing_personal(
    service: SessionService, database: Database, asha: Principal, kind: Format, tools: bool
) -> None:
    chat = await spoken(service, database, asha)
    text = await exported(service, asha, chat, kind, tools=tools)
    assert "Looking." in text
    assert [canary for canary in CANARIES if canary in text] == []
    assert ("resolve_vehicle" in text) is tools
    assert ("A person declined." in text) is tools


async def test_markdown_keeps_tool_details_inside_their_fence(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await spoken(service, database, asha)
    text = await exported(service, asha, chat, "markdown")
    assert "\n`resolve_vehicle` succeeded in 12 ms\n" in text
    assert "\n`create_service_booking` denied\n" in text
    assert "\n# not a heading" not in text


async def test_json_has_every_branch_and_markdown_the_present_one(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    asked, _ = await say(service, asha, chat, user("Pune"), answer("five dealers"))
    await service.branch_from(asha, chat.id, asked.id, text="Mumbai")
    text = await exported(service, asha, chat, "json")
    assert ("five dealers" in text, "Mumbai" in text) == (True, True)
    text = await exported(service, asha, chat, "markdown")
    assert ("five dealers" in text, "Mumbai" in text) == (False, True)


async def test_a_long_conversation_is_exported_whole(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    await say(service, asha, chat, *(user(f"number {number} said") for number in range(205)))
    text = await exported(service, asha, chat, "markdown")
    assert [n for n in range(205) if f"\nnumber {n} said\n" not in text] == []


async def test_a_foreign_export_is_refused_before_it_begins(
    service: SessionService, asha: Principal, stranger: Principal
) -> None:
    chat = await service.create(asha)
    with pytest.raises(SessionNotFound):
        await service.export(stranger, chat.id, with_tools=True)
