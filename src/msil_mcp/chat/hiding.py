"""Values that were masked where they are declared, masked wherever else they are said.

That a result's member holds a name is declared; that an answer says the name is not. Pure.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

SHORTEST: Final = 3
"""Shorter values are said by chance too often."""


class Hiding:
    """What was masked so far, and what stands in its place."""

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._pattern: re.Pattern[str] | None = None

    def note(self, plain: Any, masked: Any) -> None:
        """Remember what differs between a value and its masked form."""
        if plain is masked:
            return
        if isinstance(plain, Mapping) and isinstance(masked, Mapping):
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
        if len(plain) >= SHORTEST and self._shown.setdefault(plain.casefold(), masked) == masked:
            self._pattern = None

    def _hide_in(self, text: str) -> str:
        if not self._shown:
            return text
        if self._pattern is None:
            longest_first = sorted(self._shown, key=len, reverse=True)
            listed = "|".join(map(re.escape, longest_first))
            self._pattern = re.compile(rf"(?<!\w)(?:{listed})(?!\w)", re.IGNORECASE)
        return self._pattern.sub(self._masked, text)

    def _masked(self, found: re.Match[str]) -> str:
        return self._shown.get(found[0].casefold(), "***")


def _is_hint(word: str, hidden: str) -> bool:
    return hidden == f"{word[0]}***"
