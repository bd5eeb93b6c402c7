"""Requests refused as the real API refuses them, so that a fault shows before it costs money."""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from msil_mcp.llm.scripted.wire import ChatRequest, Message

MOST_TOOLS: Final = 128
TOOL_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TOP_LEVEL: Final = ("oneOf", "anyOf", "allOf", "enum", "not")


class RefusedRequest(Exception):
    """An error in the API's shape."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",  # noqa: A002  the wire's name
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.body = {"error": {"message": message, "type": type, "param": param, "code": code}}


def check_request(request: ChatRequest) -> None:
    """Raise RefusedRequest for what no provider would take."""
    if not request.messages:
        raise RefusedRequest(400, "'messages' must not be empty.", param="messages")
    _check_tool_messages(request.messages)
    tools = request.tools or []
    if len(tools) > MOST_TOOLS:
        raise RefusedRequest(
            400, f"'tools' may hold at most {MOST_TOOLS}; there are {len(tools)}.", param="tools"
        )
    seen: set[str] = set()
    for index, tool in enumerate(tools):
        name, param = tool.function.name, f"tools[{index}].function"
        if not TOOL_NAME.fullmatch(name):
            raise RefusedRequest(
                400, f"The name {name!r} does not match ^[a-zA-Z0-9_-]{{1,64}}$.", param=param
            )
        if name in seen:
            raise RefusedRequest(400, f"The name {name!r} is used twice.", param=param)
        seen.add(name)
        if fault := _schema_fault(tool.function.parameters, strict=bool(tool.function.strict)):
            message = f"Invalid schema for function {name!r}: {fault}."
            raise RefusedRequest(400, message, param=param, code="invalid_function_parameters")


def _check_tool_messages(messages: Sequence[Message]) -> None:
    """Every call is answered right after it, and nothing else is."""
    waiting: set[str] = set()
    for index, message in enumerate(messages):
        param = f"messages[{index}]"
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                raise RefusedRequest(
                    400,
                    "A message with role 'tool' must answer a tool call of the message before it.",
                    param=param,
                )
            waiting.discard(message.tool_call_id)
            continue
        if waiting:
            raise RefusedRequest(400, _unanswered(waiting), param=param)
        if message.role == "assistant":
            waiting = {call.id for call in message.tool_calls or ()}
    if waiting:
        raise RefusedRequest(400, _unanswered(waiting), param="messages")


def _unanswered(waiting: set[str]) -> str:
    return (
        "An assistant message with 'tool_calls' must be followed by tool messages that answer "
        f"each of them; these are not answered: {', '.join(sorted(waiting))}."
    )


def _schema_fault(schema: dict[str, Any], *, strict: bool) -> str | None:
    if schema and schema.get("type") != "object":
        return "its type must be 'object'"
    for keyword in _TOP_LEVEL:
        if keyword in schema:
            return f"it may not have '{keyword}' at the top level"
    if strict:
        for node in _objects(schema):
            if node.get("additionalProperties") is not False:
                return "strict schemas need 'additionalProperties': false"
            if set(node.get("required", ())) != set(node.get("properties", ())):
                return "strict schemas need every property in 'required'"
    return None


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for value in schema.values():
            yield from _objects(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _objects(value)
