"""What a tool answered, as it arrives in a message: a document, or words about a failure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from msil_mcp.llm.summarising import LEFT_OUT

_DENIED: Final = re.compile(
    r"\b(?:denied|declined|disapproved|not approved|rejected|did not (?:agree|approve|confirm)|"
    r"refused by (?:the )?(?:user|person))\b",
    re.IGNORECASE,
)
_LEFT_OUT: Final = re.compile(
    r"\[Left out to save space: |The result of this call is no longer kept"
)
_NOT_KEPT: Final = "The result of this call is no longer kept"
_LONGEST_QUOTE: Final = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """A tool's answer; `document` is None when it failed, and then `text` says why."""

    document: Mapping[str, Any] | None
    text: str

    @property
    def failed(self) -> bool:
        """Whether there is nothing to quote but the failure."""
        return self.document is None

    @property
    def was_denied(self) -> bool:
        """Whether a person said no, rather than the service."""
        return self.failed and _DENIED.search(self.text) is not None

    @property
    def is_left_out(self) -> bool:
        """Whether the answer was good and is only not repeated here."""
        return self.failed and self.text.startswith((LEFT_OUT, _NOT_KEPT))

    @property
    def is_uncertain(self) -> bool:
        """Whether a write may have happened all the same, so that repeating it could double it."""
        return self.failed and self.mentions("not known whether", "outcome unknown")

    def mentions(self, *words: str) -> bool:
        """Whether the failure is about one of these."""
        folded = self.text.casefold()
        return any(word in folded for word in words)


def read_answer(content: str) -> Answer:
    """A JSON object is a success, unless it says that it is an error; other text is a failure."""
    try:
        document = msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError):
        return Answer(None, _quotable(content))
    if isinstance(document, str):
        return Answer(None, _quotable(document))
    if not isinstance(document, dict):
        return Answer(None, _quotable(content))
    inner = document.get("structuredContent", document.get("structured"))
    is_error = bool(document.get("isError") or document.get("is_error"))
    if isinstance(inner, dict) and not is_error:
        return Answer(inner, "")
    if is_error or _is_problem(document):
        return Answer(None, _quotable(_failure(document)))
    if isinstance(document.get("content"), list) and "isError" in document:
        return read_answer(_texts(document["content"]))
    return Answer(document, "")


def _is_problem(document: Mapping[str, Any]) -> bool:
    if "error" in document:
        return True
    return isinstance(document.get("status"), int) and "title" in document


def _failure(document: Mapping[str, Any]) -> str:
    error = document.get("error")
    if isinstance(error, Mapping):
        error = error.get("message")
    if isinstance(document.get("content"), list):
        return _texts(document["content"])
    for value in (document.get("detail"), error, document.get("text"), document.get("title")):
        if isinstance(value, str) and value:
            return value
    return msgspec.json.encode(document).decode()


def _texts(blocks: list[Any]) -> str:
    return "\n".join(
        block["text"]
        for block in blocks
        if isinstance(block, dict) and isinstance(block.get("text"), str)
    )


def _quotable(text: str) -> str:
    line = " ".join(text.split())
    if len(line) > _LONGEST_QUOTE:
        return line[: _LONGEST_QUOTE - 1].rstrip() + "…"
    return line
