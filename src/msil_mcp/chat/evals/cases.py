"""The file of conversations: what is said, which calls are expected, what must be booked then.

Every value in a file is text. `{name}` stands for the id of the given booking of that name.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import msgspec
import yaml

from msil_mcp.errors import BadRequest

SHIPPED: Final = "booking"
Facts = Mapping[str, str]
Value = TypeVar("Value")


class UnreadableCases(BadRequest):
    """The file of conversations cannot be used."""

    slug = "unreadable_cases"

    def __init__(self, source: str, reason: str) -> None:
        super().__init__(source=source, reason=reason)


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A misspelt key is an error, not an expectation that never fails."""


class Turn(_Strict, frozen=True):
    """What a person says, and what the model should do.

    `calls` must be among the calls of the turn, each with at least these arguments; with `only`
    there may be no others. Writes are approved, or declined for `reason` where `approve` is false.
    """

    say: str
    calls: Sequence[Mapping[str, Facts]] = ()
    only: bool = False
    never: Sequence[str] = ()
    answer: Sequence[str] = ()
    approve: bool = True
    reason: str = "Not now."

    @property
    def expected(self) -> list[tuple[str, Facts]]:
        """The calls as pairs of tool and arguments."""
        return [pair for call in self.calls for pair in call.items()]


class Given(_Strict, frozen=True):
    """A booking that is there before the conversation begins, made `times` times."""

    order: Facts
    name: str = ""
    times: int = 1


class Case(_Strict, frozen=True):
    """A conversation; `bookings` are all that it may leave behind, and it must leave them."""

    id: str
    turns: Sequence[Turn]
    language: Literal["en", "hi"] = "en"
    given: Sequence[Given] = ()
    bookings: Sequence[Facts] = ()

    def naming(self, ids: Facts) -> "Case":
        """The same with the ids of the given bookings in place of their names."""
        return _replaced(self, ids)


class Suite(_Strict, frozen=True):
    """Conversations that take place at one moment."""

    now: datetime
    cases: Sequence[Case]


def read_suite(source: str | None) -> Suite:
    """The conversations in a file, or those that are shipped.

    Raises:
        UnreadableCases: It is not there, or not such a file; says where it goes wrong.
    """
    if source is None:
        text = files(__package__).joinpath(f"{SHIPPED}.yaml").read_text(encoding="utf-8")
        return parse_suite(text, source=SHIPPED)
    try:
        text = Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UnreadableCases(source, reason) from error
    return parse_suite(text, source=source)


def parse_suite(text: str, *, source: str) -> Suite:
    """The conversations in a text."""
    try:
        # Every scalar stays text: 10:00 is a time of day and not the number 600.
        tree = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506  makes text, lists and maps
        suite = msgspec.convert(tree, Suite, strict=False)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise UnreadableCases(source, " ".join(str(error).split())) from error
    ids = [case.id for case in suite.cases]
    twice = sorted({each for each in ids if ids.count(each) > 1})
    if twice or not ids:
        raise UnreadableCases(source, f"ids are used twice: {twice}" if ids else "it has no cases")
    if suite.now.tzinfo is None:
        raise UnreadableCases(source, "now needs an offset, as in 2026-11-23T08:00:00+05:30")
    return suite


def _replaced(value: Value, ids: Facts) -> Value:
    plain = msgspec.to_builtins(value)
    return msgspec.convert(_renamed(plain, ids), type(value))


def _renamed(value: Any, ids: Facts) -> Any:
    match value:
        case str():
            for name, booking_id in ids.items():
                value = value.replace(f"{{{name}}}", booking_id)
            return value
        case dict():
            return {key: _renamed(each, ids) for key, each in value.items()}
        case list() | tuple():
            return [_renamed(each, ids) for each in value]
    return value
