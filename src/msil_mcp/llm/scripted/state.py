"""What a conversation has established so far; derived from its messages and stored nowhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal

from msil_mcp.llm.scripted.results import Answer
from msil_mcp.llm.scripted.understanding import Intent, Service

Capability = Literal[
    "resolve_customer",
    "resolve_vehicle",
    "get_nearby_dealers",
    "get_available_slots",
    "create_service_booking",
    "get_booking_status",
]
CAPABILITIES: Final[tuple[Capability, ...]] = (
    "resolve_customer",
    "resolve_vehicle",
    "get_nearby_dealers",
    "get_available_slots",
    "create_service_booking",
    "get_booking_status",
)
Document = Mapping[str, Any]


@dataclass(slots=True)
class Draft:
    """The booking as it stands."""

    registration: str | None = None
    city: str | None = None
    area: str | None = None
    dealer_code: str | None = None
    day: date | None = None
    time: str | None = None
    mobile: str | None = None
    service: Service | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A tool's successful answer and the arguments it answers."""

    arguments: Document
    document: Document


@dataclass(frozen=True, slots=True)
class Problem:
    """A tool's failure in the present turn."""

    tool: Capability
    arguments: Document
    answer: Answer


@dataclass(slots=True)
class State:
    """Everything the next answer depends on."""

    tools: Mapping[Capability, str]
    draft: Draft = field(default_factory=Draft)
    intent: Intent | None = None
    books: bool = False
    confirmed: bool = False
    declined: bool = False
    booking_id: str | None = None
    is_uncertain: bool = False
    """Whether the last try to book may have succeeded without an answer."""
    dropped_area: str | None = None
    asked_before: tuple[str, ...] = ()
    """What was asked and which dealers were offered before the messages there are, and still is."""
    dealers_before: tuple[str, ...] = ()
    problem: Problem | None = None
    found: dict[Capability, Found] = field(default_factory=dict)
    fresh: list[Capability] = field(default_factory=list)
    """What was found since the person last spoke, in order."""
    batches: int = 0
    """How often tools answered since the person last spoke."""
    steps: int = 0
    """How many messages a person has written."""

    def has(self, tool: Capability) -> bool:
        """Whether the request offers the tool."""
        return tool in self.tools

    def document(self, tool: Capability) -> Document:
        """The tool's last good answer, or nothing."""
        found = self.found.get(tool)
        return found.document if found else {}

    @property
    def is_booked(self) -> bool:
        """Whether the booking of this conversation was made."""
        return "create_service_booking" in self.found

    @property
    def dealers(self) -> Sequence[Document]:
        """The dealers of the last good answer, nearest first."""
        return _list(self.document("get_nearby_dealers"), "dealers")

    @property
    def listed_dealers(self) -> Sequence[str]:
        """Codes of the dealers a person may choose by their place in the list."""
        codes = [str(item["dealer_code"]) for item in self.dealers if "dealer_code" in item]
        return codes if "get_nearby_dealers" in self.found else self.dealers_before

    @property
    def slots(self) -> Sequence[Document]:
        """The slots of the last good answer."""
        return _list(self.document("get_available_slots"), "slots")

    @property
    def free_times(self) -> list[str]:
        """Start times with room."""
        return [
            str(slot["time"]) for slot in self.slots if slot.get("available") and "time" in slot
        ]

    @property
    def dealer(self) -> Document | None:
        """The dealer the booking is for: the chosen one, or the nearest where an area is known."""
        if code := self.draft.dealer_code:
            listed = (item for item in self.dealers if item.get("dealer_code") == code)
            return next(listed, {"dealer_code": code})
        able = self.able_dealers
        if able and (self.draft.area or self.dropped_area or len(self.dealers) == 1):
            return able[0]
        return None

    @property
    def able_dealers(self) -> Sequence[Document]:
        """Dealers of the list that do the wanted work."""
        wanted = self.draft.service
        return [
            dealer
            for dealer in self.dealers
            if wanted is None or wanted in dealer.get("services", (wanted,))
        ]


def offered_tools(names: Sequence[str]) -> dict[Capability, str]:
    """The tools of the journey among the names of a request; prefixes of gateways are allowed."""
    tools: dict[Capability, str] = {}
    for capability in CAPABILITIES:
        for name in names:
            plain = name.replace("-", "_").casefold()
            if plain == capability or plain.endswith(f"_{capability}"):
                tools[capability] = name
                break
    return tools


def _list(document: Document, member: str) -> list[Document]:
    items = document.get(member)
    return [item for item in items if isinstance(item, Mapping)] if isinstance(items, list) else []
