"""What a message is made of: text, tool calls, and references to their results.

Stored as one JSON array a message, and shown by REST just so. A new kind of part is one more class
with a type of its own.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Discriminator, TypeAdapter

ResultOutcome = Literal["succeeded", "failed", "denied", "unknown"]


@dataclass(frozen=True, slots=True)
class TextPart:
    """What was said."""

    text: str
    type: Literal["text"] = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCallPart:
    """A call the model asked for; `call_id` is the model's own name for it."""

    call_id: str
    tool: str
    arguments: dict[str, Any]
    type: Literal["tool_call"] = "tool_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResultPart:
    """What came of a call: a reference to its execution, or a text where nothing was executed."""

    call_id: str
    tool: str
    outcome: ResultOutcome
    execution_id: str | None = None
    text: str | None = None
    type: Literal["tool_result"] = "tool_result"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPart:
    """A person was asked about a call; the approval itself knows what they said."""

    call_id: str
    approval_id: str
    type: Literal["approval"] = "approval"


Part = Annotated[TextPart | ToolCallPart | ToolResultPart | ApprovalPart, Discriminator("type")]
Parts = tuple[Part, ...]

_parts: TypeAdapter[Parts] = TypeAdapter(Parts)


def encode_parts(parts: Sequence[Part]) -> str:
    """Parts as they are stored."""
    return _parts.dump_json(tuple(parts)).decode()


def decode_parts(content: str) -> Parts:
    """Parts from what is stored."""
    return _parts.validate_json(content)


def spoken_text(parts: Sequence[Part]) -> str:
    """Only what was said in words."""
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))


def folded(text: str) -> str:
    """Text as it is searched: without case, in one Unicode form, without characters of control."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(printable(plain).split())


def printable(text: str) -> str:
    """Text with a space for every control character; PostgreSQL cannot store NUL."""
    return "".join(" " if unicodedata.category(char) == "Cc" else char for char in text)
