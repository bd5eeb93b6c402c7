"""What comes next: tools to call, or something to say."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from msil_mcp.llm.scripted.state import Capability, Draft, State

Saying = Literal[
    "problem", "give_up", "cancel", "status", "dealers", "slots", "vehicle", "customer", "greet",
    "thanks", "bye", "help", "wellbeing", "other", "unable", "ask", "dealer", "dealer_lacks",
    "time", "slot_taken", "day_full", "details", "confirm", "declined", "cannot_book", "booked",
    "summary",
]  # fmt: skip
Piece = Literal[
    "registration", "place", "dealer", "day", "time", "mobile", "service_type", "booking_id"
]
MOST_BATCHES: Final = 8
REMINDS: Final = frozenset({"greet", "thanks", "help", "wellbeing", "other"})
"""What is answered with a reminder of what a booking under way still waits for."""


@dataclass(frozen=True, slots=True)
class Invoke:
    """Tools to call now; they do not depend on one another."""

    calls: tuple[tuple[Capability, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class Say:
    """Something to say, and the pieces it asks for."""

    what: Saying
    pieces: tuple[Piece, ...] = ()
    tool: Capability | None = None


Step = Invoke | Say


def next_step(state: State) -> Step:
    """Decide from the state alone."""
    if state.batches > MOST_BATCHES:
        return Say("give_up")
    if state.problem is not None and not _looks_again(state):
        return Say("problem")
    match state.intent:
        case "status":
            return _status(state)
        case "dealers" | "slots" | "vehicle" | "customer":
            return _question(state, state.intent)
        case "cancel" | "greet" | "thanks" | "bye" | "help" | "wellbeing":
            return Say(state.intent)
        case "summarise":
            return Say("summary")
    if not state.books:
        return Say("other")
    return booking_step(state)


def _looks_again(state: State) -> bool:
    """After a slot was lost, its neighbours are looked up before anything is said."""
    problem = state.problem
    return (
        problem is not None
        and problem.tool == "create_service_booking"
        and not problem.answer.was_denied
        and "get_available_slots" not in state.found
        and _slots_arguments(state) is not None
    )


def _status(state: State) -> Step:
    if not state.has("get_booking_status"):
        return Say("unable", tool="get_booking_status")
    if state.booking_id is None:
        return Say("ask", ("booking_id",))
    if "get_booking_status" in state.fresh:
        return Say("status")
    return Invoke((("get_booking_status", {"booking_id": state.booking_id}),))


def _question(state: State, intent: Literal["dealers", "slots", "vehicle", "customer"]) -> Step:
    """A question for its own sake, outside a booking."""
    draft = state.draft
    tool: Capability
    piece: Piece
    arguments: Mapping[str, Any] | None
    match intent:
        case "dealers":
            tool, piece, arguments = "get_nearby_dealers", "place", _dealers_arguments(draft)
        case "slots":
            tool, arguments = "get_available_slots", _slots_arguments(state)
            piece = "day" if state.dealer else "dealer"
        case "vehicle":
            tool, piece = "resolve_vehicle", "registration"
            arguments = _vehicle_arguments(draft)
        case "customer":
            tool, piece = "resolve_customer", "mobile"
            arguments = {"mobile": draft.mobile} if draft.mobile else None
    if not state.has(tool):
        return Say("unable", tool=tool)
    if arguments is None and intent == "slots" and not state.dealer and draft.city:
        return _dealers_first(state)
    if arguments is None:
        return Say("ask", (piece,))
    return Say(intent) if _answers(state, tool, arguments) else Invoke(((tool, arguments),))


def _dealers_first(state: State) -> Step:
    arguments = _dealers_arguments(state.draft)
    if arguments is None or not state.has("get_nearby_dealers"):
        return Say("ask", ("dealer",))
    if _answers(state, "get_nearby_dealers", arguments):
        return Say("dealer")
    return Invoke((("get_nearby_dealers", arguments),))


def booking_step(state: State) -> Step:
    """The next step towards an appointment."""
    if state.declined:
        return Say("declined")
    if state.booking_id and "create_service_booking" in state.fresh:
        return _after_booking(state)
    if calls := _lookups(state):
        return Invoke(calls)
    draft, dealer = state.draft, state.dealer
    if dealer is None and "get_nearby_dealers" in state.found and not state.able_dealers:
        return Say("dealer_lacks")
    if missing := _missing(state):
        choosing = dealer is None and state.dealers and missing[0] == "dealer"
        return Say("dealer" if choosing else "ask", missing)
    if state.has("get_available_slots"):
        if not state.free_times:
            return Say("day_full")
        if draft.time is None:
            return Say("time", ("time",))
        if draft.time not in state.free_times:
            return Say("slot_taken", ("time",))
    if not state.has("create_service_booking"):
        return Say("cannot_book")
    return _conclusion(state)


def _after_booking(state: State) -> Step:
    if state.has("get_booking_status") and "get_booking_status" not in state.fresh:
        return Invoke((("get_booking_status", {"booking_id": state.booking_id}),))
    return Say("booked")


def _lookups(state: State) -> tuple[tuple[Capability, Mapping[str, Any]], ...]:
    """Vehicle and dealers can be looked up at once; the slots need a dealer."""
    draft = state.draft
    wanted: list[tuple[Capability, Mapping[str, Any] | None]] = [
        ("resolve_vehicle", _vehicle_arguments(draft)),
        ("get_nearby_dealers", None if draft.dealer_code else _dealers_arguments(draft)),
    ]
    calls = _unanswered(state, wanted)
    return calls or _unanswered(state, [("get_available_slots", _slots_arguments(state))])


def _unanswered(
    state: State, wanted: list[tuple[Capability, Mapping[str, Any] | None]]
) -> tuple[tuple[Capability, Mapping[str, Any]], ...]:
    return tuple(
        (tool, arguments)
        for tool, arguments in wanted
        if arguments is not None and state.has(tool) and not _answers(state, tool, arguments)
    )


def _missing(state: State) -> tuple[Piece, ...]:
    """What must be known before the slot can be settled, all of it asked for at once."""
    draft = state.draft
    pieces: list[Piece] = []
    if draft.registration is None:
        pieces.append("registration")
    if state.dealer is None:
        can_look = state.has("get_nearby_dealers")
        pieces.append("dealer" if state.dealers or not can_look else "place")
    if draft.day is None:
        pieces.append("day")
    if draft.time is None and (pieces or not state.has("get_available_slots")):
        pieces.append("time")
    return tuple(pieces)


def _conclusion(state: State) -> Step:
    draft, dealer = state.draft, state.dealer
    needed: list[Piece] = []
    if draft.mobile is None:
        needed.append("mobile")
    if draft.service is None:
        needed.append("service_type")
    if needed:
        return Say("details", tuple(needed))
    if not state.confirmed:
        return Say("confirm")
    return Invoke(
        (
            (
                "create_service_booking",
                {
                    "customer_mobile": draft.mobile,
                    "vehicle_registration": draft.registration,
                    "dealer_code": dealer["dealer_code"] if dealer else draft.dealer_code,
                    "appointment_date": draft.day.isoformat() if draft.day else None,
                    "appointment_time": draft.time,
                    "service_type": draft.service,
                },
            ),
        )
    )


def _vehicle_arguments(draft: Draft) -> Mapping[str, Any] | None:
    return {"registration_number": draft.registration} if draft.registration else None


def _dealers_arguments(draft: Draft) -> Mapping[str, Any] | None:
    if draft.city is None:
        return None
    arguments = {"city": draft.city}
    if draft.area:
        arguments["area"] = draft.area
    if draft.service:
        arguments["service_type"] = draft.service
    return arguments


def _slots_arguments(state: State) -> Mapping[str, Any] | None:
    dealer, draft = state.dealer, state.draft
    if dealer is None or draft.day is None:
        return None
    arguments = {"dealer_code": dealer["dealer_code"], "date": draft.day.isoformat()}
    if draft.service:
        arguments["service_type"] = draft.service
    return arguments


def _answers(state: State, tool: Capability, arguments: Mapping[str, Any]) -> bool:
    """Whether the last good answer of the tool was to this question."""
    found = state.found.get(tool)
    if found is None:
        return False
    asked = dict(found.arguments)
    if tool == "get_available_slots":
        # Without a service type the seats of a regular service are shown.
        return {"service_type": "regular"} | asked == {"service_type": "regular"} | dict(arguments)
    if tool == "get_nearby_dealers":
        # The list says itself who does what, so a service type named later asks nothing new.
        wanted, answered = arguments.get("service_type"), asked.pop("service_type", None)
        place = {name: value for name, value in arguments.items() if name != "service_type"}
        return asked == place and (answered == wanted or bool(state.able_dealers))
    return asked == dict(arguments)
