"""What has been settled, as lines of a summary; and a conversation taken up again from them."""

from collections.abc import Iterator
from datetime import date
from typing import Final

from msil_mcp.llm.scripted.state import Found, State
from msil_mcp.llm.scripted.understanding import SERVICES

UNDER_WAY: Final = "under way"
MADE: Final = "made"
UNCERTAIN: Final = "not known whether it was made"
_LINE: Final = "- "


def fact_lines(state: State, *, asked: set[str]) -> Iterator[str]:
    """One line for each fact; `asked` is what was asked last and is not answered yet."""
    draft, dealer = state.draft, state.dealer or {}
    standing = UNDER_WAY if state.books else UNCERTAIN if state.is_uncertain else None
    facts = {
        "vehicle": draft.registration,
        "city": draft.city,
        "area": draft.area,
        "dealer": dealer.get("dealer_code"),
        "dealers offered": ", ".join(state.listed_dealers),
        "date": draft.day.isoformat() if draft.day else None,
        "time": draft.time,
        "mobile": draft.mobile,
        "service type": draft.service,
        "booking id": state.booking_id,
        "booking": MADE if state.is_booked else standing,
        "asked for": ", ".join(sorted(asked)),
    }
    return (f"{_LINE}{name}: {value}" for name, value in facts.items() if value)


def remember(state: State, summary: str) -> None:
    """Take up what a summary says; words that are no such lines are passed over."""
    facts: dict[str, str] = {}
    for line in summary.splitlines():
        name, colon, value = line.strip().removeprefix(_LINE).partition(": ")
        if colon and line.strip().startswith(_LINE):
            facts[name] = value.strip()
    draft = state.draft
    draft.registration = facts.get("vehicle")
    draft.city, draft.area = facts.get("city"), facts.get("area")
    draft.dealer_code = facts.get("dealer")
    draft.day = _day(facts.get("date", ""))
    draft.time, draft.mobile = facts.get("time"), facts.get("mobile")
    draft.service = next((kind for kind in SERVICES if kind == facts.get("service type")), None)
    state.dealers_before = _several(facts.get("dealers offered", ""))
    state.asked_before = _several(facts.get("asked for", ""))
    state.booking_id = facts.get("booking id")
    state.books = facts.get("booking") in {UNDER_WAY, MADE}
    state.is_uncertain = facts.get("booking") == UNCERTAIN
    if facts.get("booking") == MADE:
        state.found["create_service_booking"] = Found({}, {"booking_id": state.booking_id})


def _several(value: str) -> tuple[str, ...]:
    return tuple(item for item in value.split(", ") if item)


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None
