"""Which of the two languages a conversation is in."""

import re
from collections.abc import Sequence
from typing import Final, Literal

from msil_mcp.llm.scripted.text import normalise, padded, phrases

Language = Literal["en", "hi"]

_DEVANAGARI: Final = re.compile(r"[\u0904-\u0939\u0958-\u0961]")
_HINT: Final = re.compile(
    r"(?:language|locale|lang|respond in|reply in|answer in)\W{0,20}(hindi|english|hi|en)\b"
)


def language_of(text: str) -> Language | None:
    """The language a message is written in; None where it gives nothing away."""
    if _DEVANAGARI.search(text):
        return "hi"
    words = padded(text)
    hindi = sum(words.count(word) for word in phrases("language", "hi"))
    english = sum(words.count(word) for word in phrases("language", "en"))
    if hindi == english:
        return "hi" if hindi else None
    return "hi" if hindi > english else "en"


def language_hint(system: str) -> Language | None:
    """The language a system prompt names, such as `User language: Hindi`."""
    found = _HINT.search(normalise(system))
    return None if found is None else "hi" if found[1].startswith("hi") else "en"


def conversation_language(users: Sequence[str], *, system: str) -> Language:
    """The last message that shows a language decides; then the system prompt; then English."""
    for text in reversed(users):
        if found := language_of(text):
            return found
    return language_hint(system) or "en"
