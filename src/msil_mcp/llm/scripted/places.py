"""Cities and areas in a sentence: those of the catalogue, and others by how they are named."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from msil_mcp.llm.scripted.text import load, padded

_NAMED: Final = re.compile(
    r"\b(?:near|around|in|at|close to)\s+((?:[A-Z][\w'-]*\s?){1,3})"
    r"(?:,\s*((?:[A-Z][\w'-]*\s?){1,2}))?"
)
_NAMED_HINDI: Final = re.compile(
    r"\b((?:[A-Z][\w'-]*\s?){1,2})\s*(?:,\s*((?:[A-Z][\w'-]*\s?){1,2}))?\s*(?:ke paas|mein)\b"
)
_NO_PLACE: Final = re.compile(
    r"^(?:I|The|My|Please|Mon|Tues|Wednes|Thurs|Fri|Satur|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|"
    r"Oct|Nov|Dec|Noon|Morning|Afternoon|Evening|Today|Tomorrow|MSIL|BK|[AP]M)"
)


class Place(NamedTuple):
    """Where a customer wants to come; either half may be unknown."""

    city: str | None = None
    area: str | None = None


@cache
def _known() -> tuple[tuple[str, Place], ...]:
    def pairs() -> Iterator[tuple[str, Place]]:
        places = load("places.toml")
        for city, names in places["cities"].items():
            for name in names:
                yield padded(name), Place(city=city)
        for city, areas in places["areas"].items():
            for area, names in areas.items():
                for name in names:
                    yield padded(name), Place(city=city, area=area)

    return tuple(sorted(pairs(), key=lambda pair: -len(pair[0])))


def find_place(text: str, *, alone: bool = False) -> Place | None:
    """The place a text names; with `alone`, a short answer is taken as a city's name."""
    words = padded(text)
    city = area = home = None
    for name, place in _known():
        if name not in words:
            continue
        words = words.replace(name, " | ")
        if place.area is None:
            city = city or place.city
        elif area is None:
            area, home = place.area, place.city
    if city is None and area is not None:
        return Place(city=home, area=area)
    named = _named(text)
    if city is not None:
        unknown = next((n for n in (named or ()) if n and _city(n) is None), None)
        return Place(city=city, area=area or unknown)
    if named is not None:
        return named
    if alone and (
        found := re.fullmatch(r"\s*([^\W\d_]{3,20}(?:\s[^\W\d_]{3,20})?)\s*[.!]?\s*", text)
    ):
        return Place(city=found[1].title())
    return None


def _city(name: str) -> str | None:
    return next((place.city for known, place in _known() if known == padded(name)), None)


def _named(text: str) -> Place | None:
    """A place by its capitals: `near Gandhi Nagar, Jaipur`."""
    for pattern in (_NAMED, _NAMED_HINDI):
        for found in pattern.finditer(text):
            first, second = found[1].strip(), (found[2] or "").strip()
            if _NO_PLACE.match(first) or any(letter.isdigit() for letter in first):
                continue
            if second and not _NO_PLACE.match(second):
                return Place(city=second, area=first)
            return Place(city=first)
    return None
