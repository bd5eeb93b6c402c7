"""From the messages of a request to the state of the conversation."""

from collections.abc import Container, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

import msgspec

from msil_mcp.llm.scripted.facts import remember
from msil_mcp.llm.scripted.planning import REMINDS, Say, booking_step, next_step
from msil_mcp.llm.scripted.results import read_answer
from msil_mcp.llm.scripted.state import (
    Capability,
    Document,
    Draft,
    Found,
    Problem,
    State,
    offered_tools,
)
from msil_mcp.llm.scripted.understanding import (
    QUESTIONS,
    SMALL_TALK,
    Heard,
    Intent,
    understand,
)
from msil_mcp.llm.scripted.wire import Call, Message
from msil_mcp.llm.summarising import unframed


def read_conversation(messages: Sequence[Message], *, offered: Sequence[str], today: date) -> State:
    """The state after the last message."""
    state = State(tools=offered_tools(offered))
    calls: dict[str, Call] = {}
    for index, message in enumerate(messages):
        match message.role:
            case "user":
                summary = unframed(message.text)
                if summary is None:
                    _hear(state, message.text, today=today)
                else:
                    remember(state, summary)
            case "assistant":
                calls |= {call.id: call for call in message.tool_calls or ()}
            case "tool":
                if index and messages[index - 1].role == "assistant":
                    state.batches += 1
                if call := calls.get(message.tool_call_id or ""):
                    _learn(state, call, message.text)
    return state


def _hear(state: State, text: str, *, today: date) -> None:
    expecting = expected(state)
    failed, state.problem = state.problem, None
    heard = understand(text, today=today, expecting=expecting)
    state.intent = _intent(state, heard, expecting=expecting)
    if state.intent not in SMALL_TALK:
        state.asked_before = ()
    _begin_turn(state)
    if failed and heard.yes and not heard.has_facts and not failed.answer.is_uncertain:
        _restore(state.draft, failed.arguments)
        state.confirmed = failed.tool == "create_service_booking"
    takes_offer = heard.yes and ("dealers" in expecting or "slots" in expecting)
    if state.intent is None and (heard.books or heard.starts_booking or takes_offer):
        if state.is_booked:
            _begin_another(state)
        state.books = True
    elif state.intent is None and state.is_booked:
        state.books = False
    before = _plan(state.draft)
    _take_over(state, heard)
    has_moved = _plan(state.draft) != before
    _settle_answer(state, heard, expecting=expecting, has_moved=has_moved)


def expected(state: State) -> set[str]:
    """What was asked last, which a short answer answers."""
    if state.asked_before:
        return set(state.asked_before)
    asked = next_step(replace(state, problem=None)) if state.steps else None
    if isinstance(asked, Say) and asked.what in REMINDS and state.books and not state.is_booked:
        asked = booking_step(state)
    return {asked.what, *asked.pieces} if isinstance(asked, Say) else set()


def _intent(state: State, heard: Heard, *, expecting: Container[str]) -> Intent | None:
    """What the message is about beside a booking under way; None where it serves the booking."""
    intent = heard.intent
    under_way = state.books and not state.is_booked
    if intent in SMALL_TALK and (heard.has_facts or heard.books or heard.yes):
        return None  # "hello, book a service for …"
    if intent in QUESTIONS and under_way and intent != "customer":
        return None
    if intent == "status" and heard.has_facts and not (heard.booking_id or state.booking_id):
        return None
    if intent is None and state.intent in QUESTIONS and "ask" in expecting and not heard.books:
        return state.intent if heard.has_facts else None
    return intent


def _begin_turn(state: State) -> None:
    state.declined = False
    state.fresh.clear()
    state.batches = 0
    state.steps += 1


def _begin_another(state: State) -> None:
    """A booking was made; who and which car stay known, the appointment does not."""
    kept = state.draft
    state.draft = Draft(registration=kept.registration, mobile=kept.mobile)
    state.booking_id = None
    state.confirmed = False
    state.found = {tool: found for tool, found in state.found.items() if tool == "resolve_vehicle"}


def _settle_answer(
    state: State, heard: Heard, *, expecting: Container[str], has_moved: bool
) -> None:
    """Whether the person agrees to what was proposed, refuses it, or changed it."""
    if heard.no and state.books and not heard.has_facts and state.intent is None:
        state.confirmed, state.declined = False, True
    elif has_moved:
        state.confirmed = False
    elif heard.yes and ("confirm" in expecting or "details" in expecting):
        state.confirmed = True


def _take_over(state: State, heard: Heard) -> None:
    draft = state.draft
    if heard.booking_id:
        state.booking_id = heard.booking_id
    if heard.place:
        state.dropped_area = None
        draft.city = heard.place.city or draft.city
        draft.area = heard.place.area
        draft.dealer_code = None
    if heard.ordinal and 0 < heard.ordinal <= len(state.listed_dealers):
        draft.dealer_code = state.listed_dealers[heard.ordinal - 1]
    elif heard.nearest and state.able_dealers:
        draft.dealer_code = state.able_dealers[0].get("dealer_code")
    draft.dealer_code = heard.dealer_code or draft.dealer_code
    draft.registration = heard.registration or draft.registration
    draft.mobile = heard.mobile or draft.mobile
    draft.service = heard.service or draft.service
    draft.day = heard.day or draft.day
    draft.time = heard.time or draft.time


def _plan(draft: Draft) -> tuple[object, ...]:
    """What a person is asked to confirm, and has to be asked again when it moves."""
    return (draft.registration, draft.city, draft.area, draft.dealer_code, draft.day, draft.time)


def _learn(state: State, call: Call, content: str) -> None:
    tool = next(iter(offered_tools([call.function.name])), None)
    if tool is None:
        return
    arguments = _arguments(call)
    answer = read_answer(content)
    if answer.is_left_out:
        _remember_call(state, tool, arguments)
        return
    if answer.document is None:
        state.problem = Problem(tool, arguments, answer)
        state.found.pop(tool, None)
        _forget(state, state.problem)
        return
    state.found[tool] = Found(arguments, answer.document)
    state.fresh.append(tool)
    if tool == "get_available_slots" and (day := _day(arguments.get("date"))):
        state.draft.day = day  # said once, so that midnight does not move the appointment
    if tool == "create_service_booking":
        state.booking_id = str(answer.document.get("booking_id", "")) or None
        state.confirmed = state.is_uncertain = False


def _remember_call(state: State, tool: Capability, arguments: Document) -> None:
    """A call whose answer is not shown any more; it is made again where the answer is needed."""
    if tool == "get_available_slots":
        state.draft.day = _day(arguments.get("date")) or state.draft.day
    if tool == "create_service_booking":
        state.found[tool] = Found(arguments, {})
        state.confirmed = False


def _forget(state: State, problem: Problem) -> None:
    """What a failure shows to be wrong is asked for again."""
    draft, answer = state.draft, problem.answer
    match problem.tool:
        case "resolve_vehicle":
            draft.registration = None
        case "resolve_customer":
            draft.mobile = None
        case "get_booking_status":
            state.booking_id = None
        case "get_nearby_dealers" if draft.area and answer.mentions("area"):
            state.dropped_area, draft.area, state.problem = draft.area, None, None
        case "get_nearby_dealers":
            draft.city = draft.area = None
        case "get_available_slots" if answer.mentions("does not offer"):
            draft.service = None
        case "get_available_slots" if answer.mentions("no dealer "):
            draft.dealer_code = None
        case "get_available_slots":
            draft.day = None
        case "create_service_booking":
            state.confirmed = False
            _forget_refused_order(state, problem)


def _forget_refused_order(state: State, problem: Problem) -> None:
    draft, answer = state.draft, problem.answer
    if answer.was_denied:
        return
    if answer.is_uncertain:
        state.is_uncertain = True
        state.books = False  # nobody is asked for a yes that would book it twice
        return
    if answer.mentions("slot", "full"):
        draft.time = None
        state.found.pop("get_available_slots", None)
    elif answer.mentions("mobile", "customer"):
        draft.mobile = None
    elif answer.mentions("closed", "in the past", "too far ahead"):
        draft.day = None
    elif answer.mentions("does not offer"):
        draft.service = None


def _restore(draft: Draft, arguments: Document) -> None:
    """Put back what a failed call was about, for another try."""
    names = {
        "registration_number": "registration",
        "vehicle_registration": "registration",
        "customer_mobile": "mobile",
        "appointment_time": "time",
        "service_type": "service",
    }
    known = {field.name for field in fields(draft)}
    for argument, value in arguments.items():
        name = names.get(argument, argument)
        if name in known:
            setattr(draft, name, value)
    draft.day = _day(arguments.get("date") or arguments.get("appointment_date")) or draft.day


def _day(value: Any) -> date | None:
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        return None


def _arguments(call: Call) -> Document:
    try:
        arguments = msgspec.json.decode(call.function.arguments or "{}")
    except msgspec.DecodeError:
        return {}
    return arguments if isinstance(arguments, dict) else {}
