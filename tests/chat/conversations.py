"""Short ways to say things in tests."""

from datetime import timedelta
from typing import Any

from msil_mcp.chat.messages import NO_USAGE, Draft, Usage, append
from msil_mcp.chat.models import ChatMessage, ChatSession, MessageStatus, new_id
from msil_mcp.chat.parts import Part, TextPart, ToolCallPart, ToolResultPart
from msil_mcp.chat.session_service import SessionService
from msil_mcp.chat.sessions import Sessions
from msil_mcp.chat.summaries import ChatSummary
from msil_mcp.db.database import utc_now
from msil_mcp.governance.executions import ToolExecution, stored_result
from msil_mcp.principal import Principal
from msil_mcp.tools.call import ToolResult
from running import Product


def user(text: str) -> Draft:
    return Draft(role="user", parts=(TextPart(text),))


def answer(
    *parts: Part | str, status: MessageStatus = "complete", usage: Usage = NO_USAGE
) -> Draft:
    made = tuple(TextPart(part) if isinstance(part, str) else part for part in parts)
    return Draft(role="assistant", parts=made, status=status, model="scripted", usage=usage)


def summary(text: str, *, until: ChatMessage, **facts: Any) -> ChatSummary:
    """A row as a run leaves one behind."""
    values: dict[str, Any] = {
        "id": new_id(),
        "session_id": until.session_id,
        "until_id": until.id,
        "messages": until.sequence,
        "whole": True,
        "text": text,
        "tools": [],
        "model": "scripted",
        "input_tokens": 0,
        "output_tokens": 0,
        "cached_tokens": 0,
        "cost_nanos": 0,
        "run_id": new_id(),
        "created_at": utc_now(),
    }
    return ChatSummary(**(values | facts))


def call(call_id: str, tool: str = "resolve_vehicle", **arguments: Any) -> ToolCallPart:
    return ToolCallPart(call_id=call_id, tool=tool, arguments=arguments)


def result(call_id: str, tool: str = "resolve_vehicle", **facts: Any) -> ToolResultPart:
    values: dict[str, Any] = {"outcome": "succeeded", "text": f"result of {call_id}"} | facts
    return ToolResultPart(call_id=call_id, tool=tool, **values)


async def say(
    service: SessionService, who: Principal, chat: ChatSession, *drafts: Draft
) -> list[ChatMessage]:
    """Add messages below the head, one below the other, in one transaction."""
    async with service.database.unit_of_work() as session:
        held = await Sessions(session).owned_by(who, chat.id)
        return [await append(session, held, draft, parent_id=held.head_id) for draft in drafts]


def texts(messages: list[ChatMessage]) -> list[str]:
    return [part.text for message in messages for part in message.parts if part.type == "text"]


def execution(chat: ChatSession, **facts: Any) -> ToolExecution:
    """A row as governance leaves one behind a call of the chat's."""
    now = utc_now()
    values: dict[str, Any] = {
        "id": new_id(),
        "state": "succeeded",
        "principal_id": chat.owner_id,
        "tool_name": "resolve_vehicle",
        "tool_version_id": 1,
        "origin": "chat",
        "correlation_id": "test",
        "arguments_hash": "0" * 64,
        "arguments": '{"registration_number":"MH12AB1234"}',
        "attempts": 1,
        "result": stored_result(ToolResult(outcome="succeeded", text="a Swift")),
        "duration_ms": 12.5,
        "session_id": chat.id,
        "created_at": now,
        "finished_at": now + timedelta(milliseconds=12),
    }
    return ToolExecution(**(values | facts))


async def caller(product: Product, role: str = "user") -> Principal:
    """Who the product takes the holder of a role's key for; on the product's own loop."""
    assert product.app is not None
    headers = {name.lower(): value for name, value in product.headers(role).items()}
    principal: Principal = await product.app.state.authenticator.authenticate(headers)
    return principal
