"""From a decision to words: every name, time and number in them comes from a tool's answer."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from msil_mcp.llm.scripted.language import Language
from msil_mcp.llm.scripted.planning import Piece, Say, booking_step
from msil_mcp.llm.scripted.state import Capability, Document, State
from msil_mcp.llm.scripted.text import load
from msil_mcp.llm.scripted.understanding import SERVICES

_SHOWN_TIMES = 4
_FAILURES: dict[Capability, str] = {
    "resolve_customer": "failed_customer",
    "resolve_vehicle": "failed_vehicle",
    "get_nearby_dealers": "failed_dealers",
    "get_available_slots": "failed_slots",
    "create_service_booking": "failed_booking",
    "get_booking_status": "failed_status",
}


class Speaker:
    """Says things about one state in one language."""

    def __init__(self, state: State, *, language: Language) -> None:
        self._state = state
        self._catalogue = load(f"{language}.toml")

    def say(self, say: Say) -> str:
        """The whole answer."""
        match say.what:
            case "problem":
                return self._problem()
            case (
                "ask"
                | "dealer"
                | "time"
                | "slot_taken"
                | "day_full"
                | "dealer_lacks"
                | "details"
                | "confirm"
                | "cannot_book"
            ):
                return self._join(*self._news(), self._request(say))
            case "unable":
                return self._text("unable", ability=self._ability(say.tool))
            case "booked" | "status":
                return self._booking(say.what)
            case "dealers" | "slots" | "vehicle" | "customer":
                return self._answer(say.what)
            case "summary":
                return self._text("summary", facts=self._facts())
            case "greet" | "help" | "wellbeing" | "other" | "thanks":
                return self._join(
                    self._text(say.what, abilities=self._abilities()), self._reminder()
                )
            case _:
                return self._text(say.what)

    def _request(self, say: Say) -> str:
        """What a person is asked, when a booking is under way."""
        state, draft = self._state, self._state.draft
        times = self._or(self._near_times())
        match say.what:
            case "ask":
                key = "ask_to_book" if state.books else "ask"
                return self._text(key, pieces=self._pieces(say.pieces))
            case "dealer":
                others = tuple(piece for piece in say.pieces if piece != "dealer")
                more = self._text("ask", pieces=self._pieces(others)) if others else ""
                return self._join(self._dealer_list(), self._text("choose_dealer"), more)
            case "dealer_lacks":
                if draft.service:
                    return self._text("dealer_lacks", service=self._service(draft.service))
                return self._text("no_dealers", place=self._place())
            case "time":
                return self._join(self._slot_list(), self._text("choose_time"))
            case "slot_taken":
                return self._text("slot_taken", **self._appointment(), times=times)
            case "day_full":
                return self._join(self._day_full(), self._text("choose_day"))
            case "details":
                return self._join(
                    self._slot_free(), self._text("details", pieces=self._pieces(say.pieces))
                )
            case "confirm":
                return self._text(
                    "confirm",
                    **self._appointment(),
                    registration=draft.registration,
                    mobile=draft.mobile,
                    service=self._service(draft.service),
                )
            case _:
                phone = (state.dealer or {}).get("phone")
                last = self._text("cannot_book", phone=phone) if phone else None
                return self._join(self._slot_free(), last or self._text("cannot_book_plain"))

    def _news(self) -> list[str]:
        """What this turn's lookups brought."""
        state, news = self._state, []
        if "resolve_vehicle" in state.fresh:
            vehicle = state.document("resolve_vehicle")
            news.append(
                self._text(
                    "vehicle",
                    model=_model(vehicle),
                    registration=vehicle.get("registration_number", state.draft.registration),
                )
            )
        if "get_nearby_dealers" in state.fresh and state.dealers:
            if state.dropped_area:
                dropped, city = state.dropped_area, state.draft.city
                news.append(self._text("area_dropped", area=dropped, city=city))
            if state.dealer is not None:
                news.append(self._text("nearest", dealer=self._dealer(state.dealer)))
        return news

    def _answer(self, what: str) -> str:
        """To a question outside a booking."""
        state = self._state
        offer = self._text("offer") if state.has("create_service_booking") else ""
        match what:
            case "dealers":
                return self._join(self._dealer_list(), offer if state.dealers else "")
            case "slots":
                return self._join(
                    self._slot_list() if state.free_times else self._day_full(), offer
                )
            case "customer":
                found = state.document("resolve_customer")
                return self._text(
                    "customer",
                    mobile=found.get("mobile", state.draft.mobile),
                    name=found.get("name"),
                    city=found.get("city"),
                )
        found = state.document("resolve_vehicle")
        return self._text(
            "vehicle_details",
            registration=found.get("registration_number"),
            model=_model(found),
            colour=found.get("color"),
            year=found.get("year"),
            fuel=found.get("fuel_type"),
            last=self._day(found.get("last_service_date")),
            next=self._day(found.get("next_service_due")),
            odometer=found.get("odometer_reading"),
        )

    def _booking(self, what: str) -> str:
        """A booking, in the words of the service that keeps it."""
        state = self._state
        booking = state.document("create_service_booking") if what == "booked" else {}
        if "get_booking_status" in state.fresh:
            booking = state.document("get_booking_status")
        status = str(booking.get("status", ""))
        service = booking.get("service_type")
        return self._text(
            what,
            booking_id=booking.get("booking_id", state.booking_id),
            service=self._service(service),
            registration=booking.get("vehicle_registration"),
            dealer=booking.get("dealer_name") or booking.get("dealer_code"),
            date=self._day(booking.get("appointment_date")),
            time=booking.get("appointment_time"),
            status=self._catalogue["statuses"].get(status, status),
            duration=booking.get("estimated_duration"),
        )

    def _problem(self) -> str:
        state, problem = self._state, self._state.problem
        if problem is None:
            return self._text("give_up")
        text = problem.answer.text.rstrip()
        quoted = text if text.endswith((".", "!", "?", "।", "…")) else text + "."
        key = _FAILURES[problem.tool]
        if problem.tool == "create_service_booking" and problem.answer.is_uncertain:
            return self._text("uncertain", text=quoted)
        if problem.answer.was_denied and problem.tool == "create_service_booking":
            key = "denied"
        said = self._text(key, text=quoted)
        if problem.tool != "create_service_booking" or problem.answer.was_denied:
            return said
        following = booking_step(state)
        if isinstance(following, Say) and following.what in (
            "time", "day_full", "details", "ask", "confirm"
        ):  # fmt: skip
            return self._join(said, self._request(following))
        return said

    def _reminder(self) -> str:
        """What a booking under way still waits for, after small talk."""
        state = self._state
        if not state.books or state.is_booked:
            return ""
        step = booking_step(state)
        return self._request(step) if isinstance(step, Say) and step.what != "declined" else ""

    def _facts(self) -> str:
        state, draft = self._state, self._state.draft
        dealer = state.dealer
        facts = [
            draft.registration,
            self._place() if draft.city else None,
            str(dealer["dealer_code"]) if dealer and "dealer_code" in dealer else None,
            draft.day.isoformat() if draft.day else None,
            draft.time,
            draft.mobile,
            draft.service,
            state.booking_id,
        ]
        return ", ".join(fact for fact in facts if fact) or self._text("nothing")

    def _dealer_list(self) -> str:
        dealers = self._state.able_dealers
        if not dealers:
            return self._text("no_dealers", place=self._place())
        lines = [f"{n}. {self._dealer(dealer)}" for n, dealer in enumerate(dealers, start=1)]
        return "\n".join([self._text("dealers", place=self._place()), *lines]) + "\n"

    def _slot_list(self) -> str:
        times = self._list(self._state.free_times, "and")
        return self._text("slots", **self._appointment(), times=times)

    def _slot_free(self) -> str:
        free = self._state.draft.time in self._state.free_times
        return self._text("slot_free", **self._appointment()) if free else ""

    def _day_full(self) -> str:
        code = (self._state.dealer or {}).get("dealer_code")
        others = [item for item in self._state.able_dealers if item.get("dealer_code") != code]
        lines = [self._dealer(dealer) for dealer in others[:2]]
        shown = self._text("other_dealers", dealers=self._list(lines, "and")) if lines else ""
        return self._join(self._text("day_full", **self._appointment()), shown)

    def _near_times(self) -> list[str]:
        """Free times nearest to the wanted one, earliest first."""
        wanted = _minutes(self._state.draft.time or "09:00")
        nearest = sorted(self._state.free_times, key=lambda time: abs(_minutes(time) - wanted))
        return sorted(nearest[:_SHOWN_TIMES])

    def _appointment(self) -> dict[str, Any]:
        draft, dealer = self._state.draft, self._state.dealer or {}
        return {
            "date": self._day(draft.day),
            "time": draft.time,
            "dealer": dealer.get("name") or dealer.get("dealer_code") or draft.dealer_code,
        }

    def _dealer(self, dealer: Document) -> str:
        if "name" not in dealer:
            return str(dealer.get("dealer_code"))
        return self._text(
            "dealer",
            name=dealer["name"],
            code=dealer.get("dealer_code"),
            distance=dealer.get("distance_km"),
            rating=dealer.get("rating"),
        )

    def _place(self) -> str:
        draft = self._state.draft
        return ", ".join(part for part in (draft.area, draft.city) if part)

    def _day(self, value: object) -> str:
        names = self._catalogue["names"]
        if isinstance(value, str):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                return str(value)
        if not isinstance(value, date):
            return self._text("unknown_value")
        return str(names["date"]).format(
            weekday=names["weekdays"][value.weekday()],
            day=value.day,
            month=names["months"][value.month - 1],
            year=value.year,
        )

    def _service(self, service: object) -> str:
        return str(self._catalogue["services"].get(service, service))

    def _pieces(self, pieces: Sequence[Piece]) -> str:
        known = self._catalogue["pieces"]
        offered = (self._state.dealer or {}).get("services") or SERVICES[::-1]
        services = self._or([self._service(kind) for kind in offered])
        return self._list([known[piece].format(services=services) for piece in pieces], "and")

    def _ability(self, tool: Capability | None) -> str:
        return str(self._catalogue["abilities"][tool]) if tool else ""

    def _abilities(self) -> str:
        if not self._state.tools:
            return self._text("no_abilities")
        return self._text(
            "abilities", list=self._list(list(map(self._ability, self._state.tools)), "and")
        )

    def _or(self, items: Sequence[str]) -> str:
        return self._list(items, "or")

    def _list(self, items: Sequence[str], joint: str) -> str:
        if len(items) < 2:
            return "".join(items)
        return f"{', '.join(items[:-1])} {self._catalogue['names'][joint]} {items[-1]}"

    def _join(self, *sentences: str) -> str:
        return " ".join(sentence for sentence in sentences if sentence).replace("\n ", "\n")

    def _text(self, key: str, **values: object) -> str:
        said = {
            name: self._catalogue["says"]["unknown_value"] if value is None else value
            for name, value in values.items()
        }
        return str(self._catalogue["says"][key]).format(**said)


def _model(vehicle: Document) -> str:
    parts = (vehicle.get("model"), vehicle.get("variant"))
    return " ".join(str(part) for part in parts if part)


def _minutes(time: str) -> int:
    hours, _, minutes = time.partition(":")
    return int(hours) * 60 + int(minutes)
