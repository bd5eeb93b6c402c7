"""The tables. Capacity, unique ids and ownership are constraints, so no code path can break them.

A booking holds a numbered seat of a lane of a slot. No two bookings hold the same seat, and no
seat number exceeds the lane's, so the database itself refuses the sixth car.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column
from typing_extensions import override

from booking_api.database import Base
from booking_api.schedule import LANE_SEATS, Lane, ServiceType


class UtcMoment(TypeDecorator[datetime]):
    """A moment with its zone; SQLite keeps no zone, so both databases hold UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    @override
    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if not isinstance(value, datetime):
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Customer(Base):
    """A person known to the dealers."""

    __tablename__ = "customers"

    customer_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    mobile: Mapped[str] = mapped_column(String(10), unique=True)
    email: Mapped[str] = mapped_column(String(200))
    address: Mapped[str] = mapped_column(String(300))
    city: Mapped[str] = mapped_column(String(60))


class Vehicle(Base):
    """A car and who owns it."""

    __tablename__ = "vehicles"

    vehicle_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    registration_number: Mapped[str] = mapped_column(String(12), unique=True)
    model: Mapped[str] = mapped_column(String(60))
    variant: Mapped[str] = mapped_column(String(60))
    color: Mapped[str] = mapped_column(String(60))
    year: Mapped[int]
    fuel_type: Mapped[str] = mapped_column(String(10))
    last_service_date: Mapped[date | None]
    next_service_due: Mapped[date]
    odometer_reading: Mapped[int]


class Dealer(Base):
    """A workshop with its place on the map."""

    __tablename__ = "dealers"

    dealer_code: Mapped[str] = mapped_column(String(20), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    address: Mapped[str] = mapped_column(String(300))
    city: Mapped[str] = mapped_column(String(60))
    city_key: Mapped[str] = mapped_column(String(60), index=True)
    area: Mapped[str] = mapped_column(String(60))
    latitude: Mapped[float]
    longitude: Mapped[float]
    rating: Mapped[float]
    phone: Mapped[str] = mapped_column(String(20))
    services: Mapped[list[str]] = mapped_column(JSON)
    working_hours: Mapped[str] = mapped_column(String(60))


class Area(Base):
    """The centre of an area of a city; the empty area_key is the city's own centre."""

    __tablename__ = "areas"

    city_key: Mapped[str] = mapped_column(String(60), primary_key=True)
    area_key: Mapped[str] = mapped_column(String(60), primary_key=True)
    city: Mapped[str] = mapped_column(String(60))
    name: Mapped[str] = mapped_column(String(60))
    latitude: Mapped[float]
    longitude: Mapped[float]


class Booking(Base):
    """An appointment; only a cancelled one holds no seat."""

    __tablename__ = "bookings"
    __table_args__ = (
        UniqueConstraint(
            "dealer_code",
            "appointment_date",
            "appointment_time",
            "lane",
            "seat",
            name="one_booking_per_seat",
        ),
        CheckConstraint(
            " OR ".join(
                f"(lane = '{lane}' AND (seat IS NULL OR seat BETWEEN 1 AND {seats}))"
                for lane, seats in LANE_SEATS.items()
            ),
            name="seat_within_lane",
        ),
        CheckConstraint("(seat IS NULL) = (status = 'CANCELLED')", name="seat_until_cancelled"),
        CheckConstraint(
            "status IN ('CONFIRMED', 'IN_PROGRESS', 'COMPLETED', 'CANCELLED')",
            name="known_status",
        ),
        Index("bookings_by_vehicle", "vehicle_id"),
    )

    booking_id: Mapped[str] = mapped_column(String(12), primary_key=True)
    customer_id: Mapped[str] = mapped_column(ForeignKey("customers.customer_id"), index=True)
    vehicle_id: Mapped[str] = mapped_column(ForeignKey("vehicles.vehicle_id"))
    dealer_code: Mapped[str] = mapped_column(ForeignKey("dealers.dealer_code"))
    appointment_date: Mapped[date]
    appointment_time: Mapped[str] = mapped_column(String(5))
    lane: Mapped[Lane] = mapped_column(String(10))
    seat: Mapped[int | None]
    service_type: Mapped[ServiceType] = mapped_column(String(20))
    notes: Mapped[str | None] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(12))
    created_at: Mapped[datetime] = mapped_column(UtcMoment)


class IdempotencyRecord(Base):
    """What a key was first used for, and the answer it stands for.

    The row is inserted before the booking and given its answer after it, in one transaction: no
    other transaction ever sees it without one.
    """

    __tablename__ = "idempotency_keys"

    key: Mapped[str] = mapped_column(String(255), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    answer: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcMoment)
