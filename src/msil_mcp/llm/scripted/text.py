"""Words as people type them in either script, made comparable; and the vocabulary in data/."""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

_DIGITS: Final = {0x966 + value: str(value) for value in range(10)}
_QUOTES: Final = {0x2019: "'", 0x2018: "'", 0x2010: "-", 0x2013: "-", 0xA0: " "}
# Vowel signs of Devanagari are no word characters to `re`, so words are found by their range.
_WORD: Final = re.compile(r"[\w\u0900-\u0963\u0970-\u097f]+(?:['.-][\w\u0900-\u097f]+)*")


@lru_cache(maxsize=16)  # one message is asked about many things
def normalise(text: str) -> str:
    """Composed, folded case, plain quotes and ASCII digits."""
    return unicodedata.normalize("NFC", text).translate(_DIGITS | _QUOTES).casefold()


@lru_cache(maxsize=16)
def padded(text: str) -> str:
    """The words of a text between single spaces, so that ` kal ` is found only as a word."""
    return f" {' '.join(_WORD.findall(normalise(text)))} "


def has_any(within: str, phrases: Iterable[str]) -> bool:
    """Whether a padded text holds one of the (padded) phrases."""
    return any(phrase in within for phrase in phrases)


def without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """The text with some stretches blanked, for instance numbers that were understood already."""
    for start, end in spans:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


@cache
def load(name: str) -> Mapping[str, Any]:
    """A catalogue file of `data/`."""
    return tomllib.loads(files(__package__).joinpath("data", name).read_text(encoding="utf-8"))


@cache
def phrases(section: str, name: str) -> tuple[str, ...]:
    """Padded phrases of one entry of the vocabulary."""
    return tuple(padded(phrase) for phrase in load("words.toml")[section][name])


@cache
def numbered(section: str) -> Mapping[str, int]:
    """Padded phrases of a section whose keys are numbers, longest phrase first."""
    pairs = [
        (padded(phrase), int(number))
        for number, entry in load("words.toml")[section].items()
        for phrase in entry
    ]
    return dict(sorted(pairs, key=lambda pair: -len(pair[0])))
