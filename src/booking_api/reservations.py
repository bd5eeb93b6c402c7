"""Taking a seat: the one place that inserts bookings."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.database import insert_if_absent
from booking_api.errors import DatabaseBusy, SlotFull
from booking_api.identifiers import compose_booking_id
from booking_api.models import Booking
from booking_api.schedule import LANE_SEATS, ServiceType, lane_of

# Each failed attempt means that another booking took the seat or, far more rarely, the id.
_ATTEMPTS: Final = 25


@dataclass(frozen=True)
class Appointment:
    """Who comes with which car, where, when and for what; every id is known to exist."""

    customer_id: str
    vehicle_id: str
    dealer_code: str
    day: date
    slot_time: str
    service_type: ServiceType
    notes: str | None


async def reserve(
    session: AsyncSession,
    *,
    appointment: Appointment,
    now: datetime,
    draw_suffix: Callable[[], str],
) -> str:
    """Insert a confirmed booking on the lowest free seat; the new booking id.

    The unique constraints on seat and id decide, not the reading before: when another
    transaction was faster the insert does nothing and the next seat or id is tried.

    Raises:
        SlotFull: Every seat is taken.
        DatabaseBusy: Others were faster too many times.
    """
    for _ in range(_ATTEMPTS):
        seat = await lowest_free_seat(session, appointment=appointment)
        insert = insert_if_absent(session, Booking).values(
            booking_id=compose_booking_id(created_at=now, suffix=draw_suffix()),
            customer_id=appointment.customer_id,
            vehicle_id=appointment.vehicle_id,
            dealer_code=appointment.dealer_code,
            appointment_date=appointment.day,
            appointment_time=appointment.slot_time,
            lane=lane_of(appointment.service_type),
            seat=seat,
            service_type=appointment.service_type,
            notes=appointment.notes,
            status="CONFIRMED",
            created_at=now,
        )
        booking_id: str | None = await session.scalar(insert.returning(Booking.booking_id))
        if booking_id is not None:
            return booking_id
    raise DatabaseBusy


async def lowest_free_seat(session: AsyncSession, *, appointment: Appointment) -> int:
    """The first seat of the slot's lane that nobody holds.

    Raises:
        SlotFull: There is none.
    """
    lane = lane_of(appointment.service_type)
    taken = await session.scalars(
        select(Booking.seat).where(
            Booking.dealer_code == appointment.dealer_code,
            Booking.appointment_date == appointment.day,
            Booking.appointment_time == appointment.slot_time,
            Booking.lane == lane,
            Booking.seat.is_not(None),
        )
    )
    free = set(range(1, LANE_SEATS[lane] + 1)).difference(taken)
    if not free:
        raise SlotFull(
            dealer_code=appointment.dealer_code,
            day=appointment.day,
            slot_time=appointment.slot_time,
        )
    return min(free)
