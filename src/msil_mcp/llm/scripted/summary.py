"""The scripted model's answer to a request for a summary: the facts it would have gone on from."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final, get_args

import msgspec

from msil_mcp.llm.scripted.facts import fact_lines
from msil_mcp.llm.scripted.language import conversation_language
from msil_mcp.llm.scripted.planning import Piece
from msil_mcp.llm.scripted.reading import expected, read_conversation
from msil_mcp.llm.scripted.state import CAPABILITIES
from msil_mcp.llm.scripted.text import load
from msil_mcp.llm.scripted.wire import Call, Function, Message
from msil_mcp.llm.summarising import TASK, framed

ASKED: Final = frozenset(get_args(Piece)) | {
    "ask", "confirm", "day_full", "dealer", "dealer_lacks", "dealers", "details", "slot_taken",
    "slots", "time",
}  # fmt: skip
"""What waits for an answer; other words of the model's wait for nothing."""


def record_in(messages: Sequence[Message]) -> list[Message] | None:
    """The conversation that is to be summarised; None where something else is asked."""
    instructions = [m.text for m in messages if m.role in ("system", "developer")]
    if not any(text.startswith(TASK) for text in instructions):
        return None
    said = "\n".join(message.text for message in messages if message.role == "user")
    return [message for line in said.split("\n") for message in _messages(line)]


def summary_of(record: Sequence[Message], *, today: date) -> str:
    """What it has come to, in the language it is held in."""
    state = read_conversation(record, offered=CAPABILITIES, today=today)
    language = conversation_language([m.text for m in record if m.role == "user"], system="")
    says = load(f"{language}.toml")["says"]
    lines = "\n".join(fact_lines(state, asked=expected(state) & ASKED))
    if not lines:
        return str(says["summary"]).format(facts=says["nothing"])
    return str(says["summary"]).format(facts="").rstrip() + f"\n{lines}"


def _messages(line: str) -> Iterator[Message]:
    """The message that a line of the record stands for; a line that is none is passed over."""
    match _facts(line):
        case {"summary": str(text)}:
            yield Message("user", framed(text))
        case {"person": str(text)}:
            yield Message("user", text)
        case {"assistant": str(text)}:
            yield Message("assistant", text)
        case {"call": str(call_id), "tool": str(tool), "arguments": dict(arguments)}:
            function = Function(tool, msgspec.json.encode(arguments).decode())
            yield Message("assistant", None, [Call(call_id, function)])
        case {"result_of": str(call_id), "result": result}:
            text = result if isinstance(result, str) else msgspec.json.encode(result).decode()
            yield Message("tool", text, tool_call_id=call_id)


def _facts(line: str) -> Any:
    try:
        return msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
