"""Days in free words, in both languages: tomorrow, next Friday, 4 March, 04/03/2026, परसों."""

import re
from datetime import date, timedelta
from typing import Final

from msil_mcp.llm.scripted.text import has_any, normalise, numbered, padded, phrases

_ISO: Final = re.compile(r"(?<!\d)(\d{4})-(\d{1,2})-(\d{1,2})(?!\d)")
_NUMERIC: Final = re.compile(
    r"(?<![\d:./-])(\d{1,2})[/.-](\d{1,2})(?:[/.-](\d{4}|\d{2}))?(?![\d:])"
)
_LATER: Final = re.compile(
    r" (?:in )?(\S+) (?:days|day|din|दिन) (?:from now|later|baad|mein|बाद|में) "
)
_IN_DAYS: Final = re.compile(r" in (\S+) days? ")
_WEEK: Final = 7


def find_day(text: str, *, today: date) -> date | None:
    """The day the text names, seen from `today`; None when it names none that exists."""
    words = padded(text)
    return (
        _written_out(normalise(text), today=today)
        or _by_month(words, today=today)
        or _counted(words, today=today)
        or _relative(words, today=today)
        or _weekday(words, today=today)
    )


def _written_out(text: str, *, today: date) -> date | None:
    if found := _ISO.search(text):
        return _date(int(found[1]), int(found[2]), int(found[3]))
    found = _NUMERIC.search(text)
    if found is None or ("." in found[0] and found[3] is None):  # 10.30 is a time
        return None
    return _day_of(int(found[1]), int(found[2]), year=found[3], today=today)


def _by_month(words: str, *, today: date) -> date | None:
    for name, month in numbered("months").items():
        if name not in words:
            continue
        label = re.escape(name.strip())
        year = r"(?: (\d{4}))?"
        before = re.search(rf" (\d{{1,2}})(?:st|nd|rd|th)? (?:of )?{label}{year} ", words)
        after = re.search(rf" {label} (\d{{1,2}})(?:st|nd|rd|th)?{year} ", words)
        if found := before or after:
            return _day_of(int(found[1]), month, year=found[2], today=today)
    return None


def _counted(words: str, *, today: date) -> date | None:
    found = _LATER.search(words) or _IN_DAYS.search(words)
    if found is None:
        return None
    count = int(found[1]) if found[1].isdigit() else numbered("numbers").get(f" {found[1]} ")
    return None if count is None or count > 366 else today + timedelta(days=count)


def _relative(words: str, *, today: date) -> date | None:
    for phrase, days in numbered("days").items():  # longest first: not every "tomorrow" is one
        if phrase in words:
            return today + timedelta(days=days)
    return None


def _weekday(words: str, *, today: date) -> date | None:
    """The next such day; with `next`, that of the week after this one."""
    for phrase, weekday in numbered("weekdays").items():
        if phrase not in words:
            continue
        ahead = (weekday - today.weekday() - 1) % _WEEK + 1
        before = words[: words.index(phrase) + 1]
        is_next = any(before.endswith(word) for word in phrases("next_week", "words"))
        if is_next and today.weekday() + ahead < _WEEK:
            ahead += _WEEK
        return today + timedelta(days=ahead)
    return None


def _day_of(day: int, month: int, *, year: str | None, today: date) -> date | None:
    """Day and month as India writes them; without a year, the next time that day comes."""
    if year is not None:
        return _date(int(year) if len(year) == 4 else 2000 + int(year), month, day)
    this_year = _date(today.year, month, day)
    if this_year is not None and this_year >= today:
        return this_year
    return _date(today.year + 1, month, day)


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def names_a_day(text: str) -> bool:
    """Whether the text speaks of a part of the calendar at all."""
    return has_any(padded(text), (*numbered("days"), *numbered("weekdays")))
