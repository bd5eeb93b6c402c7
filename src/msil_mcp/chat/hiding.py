"""Values that were masked where they are declared, masked wherever else they are said.

That a result's member holds a name is declared; that an answer says the name is not. Pure.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

SHORTEST: Final = 3
"""Shorter values are said by chance too often."""
LONGEST: Final = 500
"""Longer ones are texts, which nobody says over again; what looks personal in them is masked so."""
_WORD: Final = re.compile(r"\w+")


class Hiding:
    """What was masked so far, and what stands in its place.

    Values are found by their first word, so that a text costs its words, however much is known.
    """

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._by_word: dict[str, list[str]] = {}
        self._patterns: dict[str, re.Pattern[str]] = {}

    def note(self, plain: Any, masked: Any) -> None:
        """Remember what differs between a value and its masked form."""
        if plain is masked:
            return
        if isinstance(plain, Mapping) and isinstance(masked, Mapping):
            # Of names that are masked, too, several may have become one.
            if len(plain) == len(masked):
                for one, other in zip(plain.values(), masked.values(), strict=True):
                    self.note(one, other)
        elif isinstance(plain, list) and isinstance(masked, list):
            for one, other in zip(plain, masked, strict=True):
                self.note(one, other)
        elif isinstance(plain, str | int) and plain != masked:
            self._remember(str(plain), str(masked))

    def hide(self, value: Any) -> Any:
        """The value with everything remembered masked, in whatever text it stands."""
        if isinstance(value, str):
            return self._hide_in(value)
        if isinstance(value, Mapping):
            return {name: self.hide(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self.hide(item) for item in value]
        return value

    def _remember(self, plain: str, masked: str) -> None:
        self._add(plain, masked)
        words, hidden = plain.split(), masked.split()
        # A name is masked word by word, and people are called by one of the words.
        if len(words) == len(hidden) > 1 and all(map(_is_hint, words, hidden)):
            for word, hint in zip(words, hidden, strict=True):
                self._add(word, hint)

    def _add(self, plain: str, masked: str) -> None:
        first = _WORD.search(plain)
        if not SHORTEST <= len(plain) <= LONGEST or first is None:
            return
        lead, value = plain[: first.start()], plain[first.start() :]
        if value.casefold() in self._shown:
            return
        self._shown[value.casefold()] = masked.removeprefix(lead)
        self._by_word.setdefault(first[0].casefold(), []).append(value)
        self._patterns.pop(first[0].casefold(), None)

    def _hide_in(self, text: str) -> str:
        pieces: list[str] = []
        end = 0
        for word in _WORD.finditer(text) if self._shown else ():
            found = self._value_at(word, text) if word.start() >= end else None
            if found is not None:
                pieces += (text[end : word.start()], self._shown.get(found.casefold(), "***"))
                end = word.start() + len(found)
        return "".join((*pieces, text[end:])) if pieces else text

    def _value_at(self, word: re.Match[str], text: str) -> str | None:
        """The longest value that begins with the word, where it stands whole."""
        first = word[0].casefold()
        values = self._by_word.get(first)
        if values is None:
            return None
        pattern = self._patterns.get(first)
        if pattern is None:
            listed = "|".join(map(re.escape, sorted(values, key=len, reverse=True)))
            pattern = self._patterns[first] = re.compile(rf"(?:{listed})(?!\w)", re.IGNORECASE)
        found = pattern.match(text, word.start())
        return None if found is None else found[0]


def _is_hint(word: str, hidden: str) -> bool:
    return hidden == f"{word[0]}***"
