"""When there is room: the slots of a dealer on a day."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.dealers import dealer_with_code, ensure_offered
from booking_api.errors import (
    DealerClosed,
    DealerNotFound,
    OutsideBookingWindow,
    ServiceNotOffered,
)
from booking_api.fields import (
    SERVICE_TYPE_DESCRIPTION,
    Answer,
    DateInput,
    DealerCodeInput,
    RequestBody,
)
from booking_api.models import Booking
from booking_api.problems import refusals
from booking_api.resources import Held, ReadSession
from booking_api.schedule import (
    LANE_SEATS,
    SLOT_TIMES,
    Lane,
    ServiceType,
    ensure_open_day,
    has_passed,
    lane_of,
)

router = APIRouter()


class SlotQuery(RequestBody):
    """Which dealer, which day and what work."""

    dealer_code: DealerCodeInput
    date: DateInput
    service_type: Annotated[
        ServiceType | None,
        Field(
            description=(
                f"{SERVICE_TYPE_DESCRIPTION} Express services have seats of their own, so give it "
                "when it is known; left out, the slots for regular services are shown."
            ),
            examples=["regular"],
        ),
    ] = None


class Slot(Answer):
    """One start time and how much room it has."""

    slot_id: Annotated[
        str,
        Field(
            description="Names the slot for people; bookings use date and time.",
            examples=["MSIL-PUNE-001_20260304_1000_workshop"],
        ),
    ]
    time: Annotated[str, Field(description="Start, HH:MM in India.", examples=["10:00"])]
    available: Annotated[
        bool,
        Field(
            description="Whether it can be booked now: it has room and has not begun.",
            examples=[True],
        ),
    ]
    capacity: Annotated[int, Field(description="How many vehicles it takes.", examples=[5])]
    booked: Annotated[int, Field(description="How many are booked.", ge=0, examples=[2])]


class DaySlots(Answer):
    """The slots of one day, earliest first."""

    slots: Annotated[list[Slot], Field(description="Every slot of the day, earliest first.")]


async def booked_seats(
    session: AsyncSession, *, dealer_code: str, day: date, lane: Lane
) -> dict[str, int]:
    """How many seats of a lane are taken, by slot time; times without bookings are absent."""
    rows = await session.execute(
        select(Booking.appointment_time, func.count(Booking.seat))
        .where(
            Booking.dealer_code == dealer_code,
            Booking.appointment_date == day,
            Booking.lane == lane,
            Booking.seat.is_not(None),
        )
        .group_by(Booking.appointment_time)
    )
    return dict(rows.all())


def day_slots(
    *, dealer_code: str, day: date, lane: Lane, booked: dict[str, int], now: datetime
) -> DaySlots:
    """Every slot of the day with its room."""
    seats = LANE_SEATS[lane]
    return DaySlots(
        slots=[
            Slot(
                slot_id=f"{dealer_code}_{day:%Y%m%d}_{slot_time.replace(':', '')}_{lane}",
                time=slot_time,
                available=booked.get(slot_time, 0) < seats
                and not has_passed(day, slot_time, now=now),
                capacity=seats,
                booked=booked.get(slot_time, 0),
            )
            for slot_time in SLOT_TIMES
        ]
    )


@router.post(
    "/api/slots/available",
    operation_id="get_available_slots",
    summary="Show the slots of a dealer on a day",
    response_description="The slots of the day.",
    responses=refusals(DealerNotFound, OutsideBookingWindow, DealerClosed, ServiceNotOffered),
    openapi_extra={"x-msil-class": "read", "x-msil-audit-subjects": ["dealer_code"]},
)
async def get_available_slots(body: SlotQuery, session: ReadSession, resources: Held) -> DaySlots:
    """Show every appointment slot of one dealer on one day, with capacity and bookings.

    Use it before create_service_booking, and offer the customer only times whose available is
    true. It changes nothing and holds no seat: a slot may fill up before it is booked. A day in
    the past, a closed day or one more than 90 days ahead is a 422 problem that names the days
    that work.
    """
    now, service_type = resources.clock(), body.service_type or "regular"
    ensure_open_day(body.date, now=now)
    dealer = await dealer_with_code(session, dealer_code=body.dealer_code)
    ensure_offered(dealer, service_type)
    code, lane = dealer.dealer_code, lane_of(service_type)
    booked = await booked_seats(session, dealer_code=code, day=body.date, lane=lane)
    return day_slots(dealer_code=code, day=body.date, lane=lane, booked=booked, now=now)
