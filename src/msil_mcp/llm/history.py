"""Our messages as pydantic-ai's, and its answers as ours.

Imported on first use only, because it imports the model libraries.
"""

from collections.abc import Sequence

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from msil_mcp.llm.errors import ModelGarbled
from msil_mcp.llm.messages import Assistant, Message, RequestedCall, System, ToolAnswer, User
from msil_mcp.llm.tools import ModelTool, ToolTable


def tool_definition(tool: ModelTool) -> ToolDefinition:
    """A tool as pydantic-ai hands it to a provider.

    Never strict: strict schemas make optional arguments required and forbid parallel calls, and
    the invoker validates in any case.
    """
    return ToolDefinition(
        name=tool.name,
        description=tool.description,
        parameters_json_schema=tool.parameters,
        strict=False,
    )


def to_history(messages: Sequence[Message], *, tools: ToolTable) -> list[ModelMessage]:
    """Neighbouring requests become one, as providers expect."""
    history: list[ModelMessage] = []
    parts: list[ModelRequestPart] = []
    names = {tool.own_name: tool.name for tool in tools.offer(most=len(tools))}
    for message in messages:
        match message:
            case System(text=text):
                parts.append(SystemPromptPart(text))
            case User(text=text):
                parts.append(UserPromptPart(text))
            case ToolAnswer(call=call, text=text, failed=failed):
                parts.append(
                    ToolReturnPart(
                        names.get(call.tool, call.tool),
                        text,
                        call.id,
                        outcome="failed" if failed else "success",
                    )
                )
            case Assistant(text=text, calls=calls):
                if parts:
                    history.append(ModelRequest(parts=parts))
                    parts = []
                history.append(ModelResponse(parts=_answer(text, calls, names)))
    if parts:
        history.append(ModelRequest(parts=parts))
    return history


def _answer(
    text: str, calls: Sequence[RequestedCall], names: dict[str, str]
) -> list[ModelResponsePart]:
    parts: list[ModelResponsePart] = [TextPart(text)] if text else []
    parts += [
        ToolCallPart(names.get(call.tool, call.tool), dict(call.arguments), call.id)
        for call in calls
    ]
    return parts


def calls_of(response: ModelResponse, *, tools: ToolTable, model: str) -> tuple[RequestedCall, ...]:
    """The calls of an answer under the tools' own names.

    Raises:
        ModelGarbled: Arguments are no JSON object.
    """
    calls = []
    for part in response.parts:
        if not isinstance(part, ToolCallPart):
            continue
        try:
            arguments = part.args_as_dict(raise_if_invalid=True)
        except (ValueError, AssertionError) as error:
            raise ModelGarbled(model=model) from error
        tool = tools.tool(part.tool_name)
        calls.append(
            RequestedCall(part.tool_call_id, part.tool_name, arguments)
            if tool is None
            else RequestedCall(part.tool_call_id, tool.own_name, tool.own_arguments(arguments))
        )
    return tuple(calls)
