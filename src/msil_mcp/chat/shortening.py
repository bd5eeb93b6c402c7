"""Large results of earlier turns as a model sees them: a line that says what they held. Pure.

The results themselves stay as they are, for people and for the tool that is called again.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from msil_mcp.chat.context import Count, Entry, approximate_tokens
from msil_mcp.chat.parts import Part, ToolResultPart
from msil_mcp.llm.summarising import LEFT_OUT

LONGEST_LINE: Final = 240
LONGEST_VALUE: Final = 40
FAILED_LENGTH: Final = 200
AGAIN: Final = "To see it again, call {tool} again."
NEVER_AGAIN: Final = "Do not repeat that call to see it again; use a tool that reads."


@dataclass(frozen=True, slots=True)
class Shortener:
    """Replaces results of more than `most` tokens by references; `reads` are tools to call again.

    A `most` of 0 replaces nothing.
    """

    most: int
    reads: Container[str] = frozenset()
    count: Count = approximate_tokens

    def __call__(self, entry: Entry) -> Entry:
        """The entry, or another one with short results."""
        if not self.most or not any(self._is_large(part) for part in entry.parts):
            return entry
        return replace(entry, parts=tuple(map(self._shortened, entry.parts)))

    def _is_large(self, part: Part) -> bool:
        if not isinstance(part, ToolResultPart) or part.text is None:
            return False
        return self.count(part.text) > self.most

    def _shortened(self, part: Part) -> Part:
        if not isinstance(part, ToolResultPart) or part.text is None or not self._is_large(part):
            return part
        short = reference(part, part.text, again=part.tool in self.reads)
        return replace(part, text=short) if self.count(short) < self.count(part.text) else part


def reference(part: ToolResultPart, text: str, *, again: bool) -> str:
    """One line in the place of a result: its tool, size and content, and how to get it again."""
    execution = f", execution {part.execution_id}" if part.execution_id else ""
    held = _held(text) if part.outcome == "succeeded" else _begun(text, FAILED_LENGTH)
    how = AGAIN.format(tool=part.tool) if again else NEVER_AGAIN
    return (
        f"{LEFT_OUT}the result of {part.tool}{execution}, "
        f"{len(text.encode()):,} bytes. It held: {held}. {how}]"
    )


def _held(text: str) -> str:
    try:
        value = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return _begun(text, LONGEST_LINE)
    if isinstance(value, dict):
        return _begun(", ".join(f"{name} {_shape(item)}" for name, item in value.items()))
    return _shape(value)


def _shape(value: Any) -> str:
    match value:
        case list():
            of = f" with {_names(value[0])}" if value and isinstance(value[0], dict) else ""
            return f"({len(value)} item{'' if len(value) == 1 else 's'}{of})"
        case dict():
            return f"(an object with {_names(value)})"
    return _begun(msgspec.json.encode(value).decode(), LONGEST_VALUE)


def _names(value: Mapping[str, Any]) -> str:
    return ", ".join(value)


def _begun(text: str, length: int = LONGEST_LINE) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
