"""What one message of a person says: identifiers, places, times, answers and intentions."""

import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from msil_mcp.llm.scripted.dates import find_day
from msil_mcp.llm.scripted.places import Place, find_place
from msil_mcp.llm.scripted.text import has_any, normalise, numbered, padded, phrases, without
from msil_mcp.llm.scripted.times import find_time

Service = Literal["regular", "express", "body_repair"]
Intent = Literal[
    "status", "cancel", "dealers", "slots", "vehicle", "customer", "greet", "thanks", "bye", "help",
    "wellbeing", "summarise",
]  # fmt: skip
SERVICES: Final[tuple[Service, ...]] = ("body_repair", "express", "regular")
SMALL_TALK: Final[tuple[Intent, ...]] = ("wellbeing", "thanks", "bye", "help", "greet")
QUESTIONS: Final[tuple[Intent, ...]] = ("slots", "dealers", "vehicle", "customer")

_NUMBER_ABBREVIATED: Final = re.compile(
    r"(?<= )(?:registration|reg|mobile|phone|vehicle|car|booking|gaadi) no(?= )"
)
_SEP: Final = r"[ .-]?"
_BOOKING_ID: Final = re.compile(r"\bbk[0-9]{6}[a-z0-9]{4}\b")
_DEALER_CODE: Final = re.compile(r"\b[a-z]{2,8}-[a-z]{2,8}-[0-9]{3}\b")
_MOBILE: Final = re.compile(r"(?<![\w+])(?:(?:\+?91|0)[ -]?)?([6-9](?:[ -]?[0-9]){9})(?![\w])")
_PLATE: Final = re.compile(
    rf"\b(?:[a-z]{{2}}{_SEP}[0-9]{{1,2}}{_SEP}[a-z]{{1,3}}{_SEP}[0-9]{{4}}"
    rf"|[0-9]{{2}}{_SEP}bh{_SEP}[0-9]{{4}}{_SEP}[a-z]{{1,2}})\b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """The facts and intentions of one message."""

    booking_id: str | None = None
    dealer_code: str | None = None
    mobile: str | None = None
    registration: str | None = None
    place: Place | None = None
    day: date | None = None
    time: str | None = None
    service: Service | None = None
    ordinal: int | None = None
    nearest: bool = False
    yes: bool = False
    no: bool = False
    books: bool = False
    intent: Intent | None = None

    @property
    def has_facts(self) -> bool:
        """Whether it says anything a booking needs."""
        return any(
            (self.dealer_code, self.mobile, self.registration, self.place, self.day, self.time,
             self.service)
        )  # fmt: skip

    @property
    def starts_booking(self) -> bool:
        """Whether it is about an appointment though it does not say so; a day alone is not."""
        pieces = (self.registration, self.dealer_code, self.place, self.service)
        return any(pieces) or (self.day is not None and self.time is not None)


def understand(text: str, *, today: date, expecting: Container[str] = ()) -> Heard:
    """Read a message; `expecting` is what was asked for last, which short answers answer."""
    plain = normalise(text)
    found = {
        name: pattern.search(plain)
        for name, pattern in (
            ("booking_id", _BOOKING_ID),
            ("dealer_code", _DEALER_CODE),
            ("registration", _PLATE),
            ("mobile", _MOBILE),
        )
    }
    if found["booking_id"]:
        found["registration"] = None
    spans = [match.span() for match in found.values() if match]
    # Normalising keeps lengths in both scripts, so spans hold for the original too.
    rest = without(text if len(text) == len(plain) else plain, spans)
    words = _NUMBER_ABBREVIATED.sub("|", padded(rest))
    chooses_dealer = any(what in expecting for what in ("dealer", "dealers", "day_full"))
    day = find_day(rest, today=today)
    time = find_time(rest, bare="time" in expecting and not chooses_dealer)
    service = next((kind for kind in SERVICES if has_any(words, phrases("services", kind))), None)
    no = has_any(words, phrases("answers", "no"))
    yes = not no and has_any(words, phrases("answers", "yes"))
    alone = "place" in expecting and not any((day, time, service, no, yes))
    intent = _intent(words, has_booking_id=found["booking_id"] is not None, confirming=no)
    place = find_place(rest, alone=alone and intent is None)
    return Heard(
        booking_id=_upper(found["booking_id"]),
        dealer_code=_upper(found["dealer_code"]),
        mobile=re.sub(r"\D", "", found["mobile"][1]) if found["mobile"] else None,
        registration=_plate(found["registration"]),
        place=place,
        day=day,
        time=time,
        service=service,
        ordinal=_ordinal(words) if chooses_dealer else None,
        nearest=has_any(words, phrases("answers", "nearest")),
        yes=yes,
        no=no,
        books=has_any(words, phrases("intents", "book")) and found["booking_id"] is None,
        intent=intent,
    )


def _intent(words: str, *, has_booking_id: bool, confirming: bool) -> Intent | None:
    if has_any(words, phrases("intents", "summarise")):
        return "summarise"
    if has_any(words, phrases("intents", "cancel")) or (has_booking_id and confirming):
        return "cancel"
    if has_booking_id or has_any(words, phrases("intents", "status")):
        return "status"
    books = has_any(words, phrases("intents", "book_strong"))
    for intent in () if books else QUESTIONS:
        if has_any(words, phrases("intents", intent)):
            return intent
    for intent in SMALL_TALK:
        if has_any(words, phrases("intents", intent)):
            return intent
    return None


def _ordinal(words: str) -> int | None:
    if words.strip().isdigit():
        return int(words)
    return next((n for phrase, n in numbered("ordinals").items() if phrase in words), None)


def _upper(match: re.Match[str] | None) -> str | None:
    return match[0].upper() if match else None


def _plate(match: re.Match[str] | None) -> str | None:
    return re.sub(r"[^A-Z0-9]", "", match[0].upper()) if match else None
