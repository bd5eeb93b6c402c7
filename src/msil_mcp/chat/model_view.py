"""Entries of a conversation as messages for a model, without any model library."""

from collections.abc import Sequence

from msil_mcp.chat import parts as own
from msil_mcp.chat.context import Entry
from msil_mcp.llm.messages import Assistant, Message, RequestedCall, System, ToolAnswer, User
from msil_mcp.llm.summarising import framed


def as_messages(entries: Sequence[Entry]) -> list[Message]:
    """Entries as the model reads them: every group of calls before its results."""
    messages: list[Message] = []
    for entry in entries:
        if entry.role == "user":
            messages.append(User(own.spoken_text(entry.parts)))
        elif entry.role == "assistant":
            messages += _answers(entry.parts)
        elif entry.role == "summary":
            # Not the system's word: what was said in the conversation gives no orders.
            messages.append(User(framed(own.spoken_text(entry.parts))))
        else:
            messages.append(System(own.spoken_text(entry.parts)))
    return messages


def _answers(parts: own.Parts) -> list[Message]:
    messages: list[Message] = []
    said: list[str] = []
    calls: list[RequestedCall] = []
    known: dict[str, RequestedCall] = {}

    def close() -> None:
        if said or calls:
            messages.append(Assistant("\n\n".join(said), tuple(calls)))
        said.clear()
        calls.clear()

    for part in parts:
        match part:
            case own.TextPart():
                if calls:
                    close()
                said.append(part.text)
            case own.ToolCallPart():
                known[part.call_id] = RequestedCall(part.call_id, part.tool, part.arguments)
                calls.append(known[part.call_id])
            case own.ToolResultPart():
                close()
                failed = part.outcome != "succeeded"
                messages.append(ToolAnswer(known[part.call_id], part.text or "", failed))
    close()
    return messages
