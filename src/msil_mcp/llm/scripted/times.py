"""Times of day in free words, in both languages: 10 AM, half past two, सुबह 10 बजे, saadhe das."""

import re
from typing import Final

from msil_mcp.llm.scripted.text import has_any, normalise, numbered, padded, phrases

_CLOCK: Final = re.compile(
    r"(?<![\d/.-])([01]?\d|2[0-3])[:.]([0-5]\d)(?![\d/-])(?:\s*([ap])\.?\s?m\b)?"
)
_MERIDIEM: Final = re.compile(r"(?<![\d/.:-])(1[0-2]|0?[1-9])\s*([ap])\.?\s?m\b")
_AT: Final = re.compile(r" at (1[0-2]|0?[1-9]) ")
_BARE: Final = re.compile(r"^ (1[0-9]|2[0-3]|0?[1-9]) $")
_FIRST_MORNING_HOUR: Final = 7
_NOON: Final = 12


def find_time(text: str, *, bare: bool = False) -> str | None:
    """The time the text names as HH:MM; with `bare`, a number alone is an hour too."""
    plain, words = normalise(text), padded(text)
    half = _half_of_day(words)
    if found := _CLOCK.search(plain):
        return _spelt(int(found[1]), int(found[2]), half=found[3] or half)
    if found := _MERIDIEM.search(plain):
        return _spelt(int(found[1]), 0, half=found[2])
    if found := re.search(r" (half|quarter) past (\S+) ", words):
        hour = _hour(found[2])
        return None if hour is None else _spelt(hour, 30 if found[1] == "half" else 15, half=half)
    if (spoken := _spoken(words, half=half)) is not None:
        return spoken
    if found := _AT.search(words):
        return _spelt(int(found[1]), 0, half=half)
    if has_any(words, phrases("clock", "noon")):
        return "12:00"
    if half and (found := re.search(r" (?:subah|सुबह|dopahar|दोपहर|shaam|sham|शाम) (\S+) ", words)):
        hour = _hour(found[1])
        return None if hour is None else _spelt(hour, 0, half=half)
    if bare and (found := _BARE.match(words)):
        return _spelt(int(found[1]), 0, half=half)
    return None


def _spoken(words: str, *, half: str | None) -> str | None:
    """`baje`, o'clock, and the Hindi words for half past, quarter past and quarter to."""
    for marker in phrases("clock", "hour"):
        if marker not in words:
            continue
        before = words[: words.index(marker)].split()
        if not before or (hour := _hour(before[-1])) is None:
            continue
        fraction = f" {before[-2]} " if len(before) > 1 else ""
        if fraction in phrases("clock", "half"):
            return _spelt(hour, 30, half=half)
        if fraction in phrases("clock", "quarter_past"):
            return _spelt(hour, 15, half=half)
        if fraction in phrases("clock", "quarter_to"):
            return _spelt((hour - 2) % _NOON + 1, 45, half=half)
        return _spelt(hour, 0, half=half)
    return None


def _hour(word: str) -> int | None:
    hour = int(word) if word.isdigit() else numbered("numbers").get(f" {word} ")
    return hour if hour is not None and 0 <= hour < 24 else None


def _half_of_day(words: str) -> str | None:
    if has_any(words, phrases("halves", "am")):
        return "a"
    return "p" if has_any(words, phrases("halves", "pm")) else None


def _spelt(hour: int, minute: int, *, half: str | None) -> str:
    """On the 24-hour clock; an hour that says neither is one of a working day."""
    if half == "p" and hour < _NOON:
        hour += _NOON
    elif half == "a" and hour == _NOON:
        hour = 0
    elif half is None and 0 < hour < _FIRST_MORNING_HOUR:
        hour += _NOON
    return f"{hour:02d}:{minute:02d}"
