"""Types of request and response fields, described once for people and for language models."""

from datetime import date
from re import fullmatch
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from booking_api.identifiers import (
    BOOKING_ID_PATTERN,
    DEALER_CODE_PATTERN,
    MOBILE_PATTERN,
    REGISTRATION_PATTERN,
    normalise_booking_id,
    normalise_mobile,
    normalise_registration,
)
from booking_api.schedule import ServiceType

PII: Final = "x-msil-pii"


class RequestBody(BaseModel):
    """A body that refuses fields it does not know, so that a misspelt one is never ignored."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """A response built from a table row or from its own fields."""

    model_config = ConfigDict(from_attributes=True)


def _iso_date(value: object) -> date:
    if isinstance(value, str) and fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return date.fromisoformat(value)
    raise ValueError("is not a date: give YYYY-MM-DD, for example 2026-03-04")


def _slot_time(value: str) -> str:
    if not fullmatch("(?:[01][0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError("is not a time: give HH:MM on the 24-hour clock, for example 10:00")
    return value


def _dealer_code(value: str) -> str:
    if not fullmatch(DEALER_CODE_PATTERN, value):
        raise ValueError("is not a dealer code: give one like MSIL-PUNE-001")
    return value.strip().upper()


def _notes(value: str) -> str:
    if any(not character.isprintable() and character not in "\n\t" for character in value):
        raise ValueError("contains control characters: give plain text")
    return value


MobileInput = Annotated[
    str,
    Field(
        max_length=30,
        description=(
            "The customer's Indian mobile number: 10 digits that start with 6, 7, 8 or 9. A "
            "leading +91, 91 or 0, spaces and dashes are accepted. Never guess it: ask."
        ),
        examples=["9876543210", "+91 98765-43210"],
        json_schema_extra={"pattern": MOBILE_PATTERN, PII: "mobile"},
    ),
    AfterValidator(normalise_mobile),
]
RegistrationInput = Annotated[
    str,
    Field(
        max_length=30,
        description=(
            "The registration number on the vehicle's plate, for example MH12AB1234, DL8CAB7890 "
            "or, for the BH series, 22BH1234AA. Case, spaces, dots and dashes do not matter."
        ),
        examples=["MH12AB1234", "DL 8C AB 7890", "22BH1234AA"],
        json_schema_extra={"pattern": REGISTRATION_PATTERN},
    ),
    AfterValidator(normalise_registration),
]
DealerCodeInput = Annotated[
    str,
    Field(
        max_length=30,
        description="The dealer's code, exactly as get_nearby_dealers returned it.",
        examples=["MSIL-PUNE-001"],
        json_schema_extra={"pattern": DEALER_CODE_PATTERN},
    ),
    AfterValidator(_dealer_code),
]
BookingIdInput = Annotated[
    str,
    Field(
        max_length=20,
        description=(
            "The booking id that create_service_booking returned: BK, six digits, four letters "
            "or digits."
        ),
        examples=["BK260302A7X9"],
        json_schema_extra={"pattern": BOOKING_ID_PATTERN},
    ),
    AfterValidator(normalise_booking_id),
]
DateInput = Annotated[
    date,
    BeforeValidator(_iso_date),
    Field(
        description=(
            "The day of the visit as YYYY-MM-DD, in India's time zone: today or later, at most "
            "90 days ahead, not a Sunday and not 26 January, 15 August, 2 October or 25 December. "
            "Work out words such as tomorrow before calling."
        ),
        examples=["2026-03-04"],
    ),
]
SlotTimeInput = Annotated[
    str,
    Field(
        description=(
            "When the slot starts, HH:MM on the 24-hour clock: every half hour from 09:00 to "
            "11:30 and from 14:00 to 16:30. Use a time that get_available_slots showed as "
            "available."
        ),
        examples=["10:00", "14:30"],
        json_schema_extra={"pattern": "^(?:[01][0-9]|2[0-3]):[0-5][0-9]$"},
    ),
    AfterValidator(_slot_time),
]
NotesInput = Annotated[
    str,
    Field(max_length=500),
    AfterValidator(_notes),
]
SERVICE_TYPE_DESCRIPTION: Final = (
    "The kind of work: regular (periodic service, 3-4 hours), express (quick service in a bay of "
    "its own, 1-2 hours) or body_repair (dents and paint, 1-2 days; not every dealer offers it)."
)
ServiceTypeInput = Annotated[
    ServiceType, Field(description=SERVICE_TYPE_DESCRIPTION, examples=["regular"])
]

Mobile = Annotated[
    str,
    Field(
        description="The customer's mobile number, 10 digits.",
        examples=["9876543210"],
        json_schema_extra={PII: "mobile"},
    ),
]
RegistrationNumber = Annotated[
    str,
    Field(
        description="The plate in capitals without separators.",
        examples=["MH12AB1234"],
    ),
]
DealerCode = Annotated[
    str,
    Field(description="The dealer's code, for use in other calls.", examples=["MSIL-PUNE-001"]),
]
BookingId = Annotated[
    str,
    Field(
        description="The booking's id: BK, the day it was made as YYMMDD, four characters.",
        examples=["BK260302A7X9"],
    ),
]
BookingStatus = Literal["CONFIRMED", "IN_PROGRESS", "COMPLETED", "CANCELLED"]
