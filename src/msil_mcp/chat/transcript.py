"""What a run has said and done so far, in the order it happened."""

from collections.abc import Iterable
from dataclasses import replace

from msil_mcp.chat.parts import ApprovalPart, Part, Parts, TextPart, ToolCallPart, ToolResultPart


class Transcript:
    """Parts of the message in the making; text grows until something else comes."""

    def __init__(self, parts: Iterable[Part] = ()) -> None:
        self._parts: list[Part] = list(parts)
        self._text: list[str] = []
        self.version = 0

    @property
    def parts(self) -> Parts:
        """Everything so far; looking at it ends no text."""
        text = "".join(self._text)
        return (*self._parts, TextPart(text)) if text else tuple(self._parts)

    def say(self, text: str) -> None:
        """Go on with the text."""
        self._text.append(text)
        self.version += 1

    def begin_text(self) -> None:
        """What is said next stands for itself."""
        self._close_text()

    def add(self, part: Part) -> None:
        """Add a part; a call's second result is not one."""
        if isinstance(part, ToolResultPart) and part.call_id in self._answered():
            return
        self._close_text()
        self._parts.append(part)
        self.version += 1

    def change_call(self, call_id: str, *, arguments: dict[str, object], approval_id: str) -> None:
        """A person changed what a call asks for, which takes another approval."""
        self._close_text()
        self._parts = [
            replace(part, arguments=arguments)
            if isinstance(part, ToolCallPart) and part.call_id == call_id
            else replace(part, approval_id=approval_id)
            if isinstance(part, ApprovalPart) and part.call_id == call_id
            else part
            for part in self._parts
        ]
        self.version += 1

    def waiting(self) -> list[tuple[ToolCallPart, ApprovalPart]]:
        """Calls a person was asked about that have no result yet."""
        answered = self._answered()
        calls = {part.call_id: part for part in self._parts if isinstance(part, ToolCallPart)}
        return [
            (calls[part.call_id], part)
            for part in self._parts
            if isinstance(part, ApprovalPart)
            and part.call_id in calls
            and part.call_id not in answered
        ]

    def unanswered(self) -> list[ToolCallPart]:
        """Calls without a result."""
        answered = self._answered()
        return [
            part
            for part in self._parts
            if isinstance(part, ToolCallPart) and part.call_id not in answered
        ]

    def _answered(self) -> set[str]:
        return {part.call_id for part in self._parts if isinstance(part, ToolResultPart)}

    def _close_text(self) -> None:
        if text := "".join(self._text):
            self._parts.append(TextPart(text))
        self._text = []
