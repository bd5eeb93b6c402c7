"""Appointments: making one, and looking one up."""

from datetime import date, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Response
from pydantic import Field
from pydantic.json_schema import SkipJsonSchema
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.customers import customer_with_mobile
from booking_api.dealers import dealer_with_code, ensure_offered
from booking_api.errors import (
    BookingNotFound,
    CustomerNotFound,
    DealerClosed,
    DealerNotFound,
    IdempotencyKeyReused,
    NotASlot,
    OutsideBookingWindow,
    ServiceNotOffered,
    SlotFull,
    SlotPassed,
    VehicleNotFound,
    VehicleOfAnotherCustomer,
)
from booking_api.fields import (
    SERVICE_TYPE_DESCRIPTION,
    Answer,
    BookingId,
    BookingIdInput,
    BookingStatus,
    DateInput,
    DealerCode,
    DealerCodeInput,
    Mobile,
    MobileInput,
    NotesInput,
    RegistrationInput,
    RegistrationNumber,
    RequestBody,
    ServiceTypeInput,
    SlotTimeInput,
)
from booking_api.idempotency import claim, remember
from booking_api.models import Booking, Customer, Dealer, Vehicle
from booking_api.problems import refusals
from booking_api.reservations import Appointment, reserve
from booking_api.resources import Held, ReadSession, Resources
from booking_api.schedule import DURATIONS, INDIA, ServiceType, ensure_bookable
from booking_api.vehicles import vehicle_with_plate

router = APIRouter()

REPLAYED_HEADER: Final = "Idempotency-Replayed"

IdempotencyKey = Annotated[
    Annotated[str, Field(min_length=1, max_length=255, pattern="^[!-~]+$")] | SkipJsonSchema[None],
    Header(
        alias="Idempotency-Key",
        description=(
            "A value of your own that names this booking, such as a UUID. Repeating the request "
            "with the same key and the same details returns the first answer and books nothing "
            "more; the same key with other details is refused."
        ),
    ),
]


class BookingOrder(RequestBody):
    """Everything a booking needs."""

    customer_mobile: MobileInput
    vehicle_registration: RegistrationInput
    dealer_code: DealerCodeInput
    appointment_date: DateInput
    appointment_time: SlotTimeInput
    service_type: ServiceTypeInput
    notes: Annotated[
        NotesInput | None,
        Field(
            description="What the customer wants the workshop to know, in plain text.",
            examples=["Brakes squeal when it rains."],
        ),
    ] = None


class BookingDetails(Answer):
    """A booking as the dealer has it."""

    booking_id: BookingId
    customer_mobile: Mobile
    vehicle_registration: RegistrationNumber
    dealer_code: DealerCode
    dealer_name: Annotated[
        str, Field(description="The dealer's name.", examples=["MSIL Service Hinjewadi"])
    ]
    appointment_date: Annotated[
        date, Field(description="Day of the visit.", examples=["2026-03-04"])
    ]
    appointment_time: Annotated[
        str, Field(description="Start of the slot, HH:MM in India.", examples=["10:00"])
    ]
    service_type: Annotated[
        ServiceType, Field(description=SERVICE_TYPE_DESCRIPTION, examples=["regular"])
    ]
    notes: Annotated[
        str | None,
        Field(
            description="What the customer wants the workshop to know; null when nothing.",
            examples=["Brakes squeal when it rains."],
        ),
    ]
    status: Annotated[
        BookingStatus,
        Field(
            description=(
                "CONFIRMED once booked, IN_PROGRESS while the vehicle is in the workshop, then "
                "COMPLETED; CANCELLED when it was called off."
            ),
            examples=["CONFIRMED"],
        ),
    ]
    estimated_duration: Annotated[
        str, Field(description="How long the work takes.", examples=["3-4 hours"])
    ]
    created_at: Annotated[
        datetime,
        Field(
            description="When it was booked, with India's offset.",
            examples=["2026-03-02T10:00:00+05:30"],
        ),
    ]


async def booking_with_id(session: AsyncSession, *, booking_id: str) -> BookingDetails:
    """The booking, with what its customer, vehicle and dealer contribute.

    Raises:
        BookingNotFound: There is none.
    """
    query = (
        select(Booking, Customer.mobile, Vehicle.registration_number, Dealer.name)
        .join(Customer, Customer.customer_id == Booking.customer_id)
        .join(Vehicle, Vehicle.vehicle_id == Booking.vehicle_id)
        .join(Dealer, Dealer.dealer_code == Booking.dealer_code)
        .where(Booking.booking_id == booking_id)
    )
    row = (await session.execute(query)).one_or_none()
    if row is None:
        raise BookingNotFound(booking_id=booking_id)
    booking, mobile, registration_number, dealer_name = row
    return BookingDetails(
        booking_id=booking.booking_id,
        customer_mobile=mobile,
        vehicle_registration=registration_number,
        dealer_code=booking.dealer_code,
        dealer_name=dealer_name,
        appointment_date=booking.appointment_date,
        appointment_time=booking.appointment_time,
        service_type=booking.service_type,
        notes=booking.notes,
        status=booking.status,
        estimated_duration=DURATIONS[booking.service_type],
        created_at=booking.created_at.astimezone(INDIA),
    )


async def book(
    resources: Resources, *, order: BookingOrder, key: str | None
) -> tuple[BookingDetails, bool]:
    """The booking, and whether it is the stored answer of an earlier request.

    One transaction: key, seat and answer are stored together or not at all.
    """
    now = resources.clock().astimezone(INDIA).replace(microsecond=0)
    async with resources.database.writing.begin() as session:
        if key is not None:
            stored = await claim(session, key=key, body=order, now=now)
            if stored is not None:
                return BookingDetails.model_validate_json(stored), True
        booking_id = await reserve(
            session,
            appointment=await appointment_for(session, order=order, now=now),
            now=now,
            draw_suffix=resources.draw_suffix,
        )
        details = await booking_with_id(session, booking_id=booking_id)
        if key is not None:
            await remember(session, key=key, answer=details.model_dump_json())
        return details, False


async def appointment_for(
    session: AsyncSession, *, order: BookingOrder, now: datetime
) -> Appointment:
    """The order with its names resolved, or the first reason why it cannot be booked."""
    ensure_bookable(order.appointment_date, order.appointment_time, now=now)
    customer = await customer_with_mobile(session, mobile=order.customer_mobile)
    plate = order.vehicle_registration
    vehicle = await vehicle_with_plate(session, registration_number=plate)
    if vehicle.owner_id != customer.customer_id:
        raise VehicleOfAnotherCustomer(registration_number=plate)
    dealer = await dealer_with_code(session, dealer_code=order.dealer_code)
    ensure_offered(dealer, order.service_type)
    return Appointment(
        customer_id=customer.customer_id,
        vehicle_id=vehicle.vehicle_id,
        dealer_code=dealer.dealer_code,
        day=order.appointment_date,
        slot_time=order.appointment_time,
        service_type=order.service_type,
        notes=order.notes,
    )


@router.post(
    "/api/booking/create",
    operation_id="create_service_booking",
    summary="Book a service appointment",
    status_code=201,
    response_description="The booking; repeated with the same key, the same booking again.",
    responses=refusals(
        CustomerNotFound,
        VehicleNotFound,
        DealerNotFound,
        SlotFull,
        VehicleOfAnotherCustomer,
        ServiceNotOffered,
        OutsideBookingWindow,
        DealerClosed,
        NotASlot,
        SlotPassed,
        IdempotencyKeyReused,
    ),
    openapi_extra={
        "x-msil-class": "write",
        "x-msil-audit-subjects": ["booking_id", "vehicle_registration", "dealer_code"],
    },
)
async def create_service_booking(
    body: BookingOrder,
    resources: Held,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> BookingDetails:
    """Book a service appointment for a customer's vehicle and return its booking id.

    Use it only after the customer has agreed to dealer, date, time and service type, and has
    given the mobile number the vehicle is registered under. It takes one seat of the slot. When
    the slot has filled up meanwhile the answer is a 409 problem: show other slots. Every other
    refusal says which detail to correct.
    """
    details, replayed = await book(resources, order=body, key=idempotency_key)
    response.headers["Location"] = f"/api/booking/{details.booking_id}"
    if replayed:
        response.headers[REPLAYED_HEADER] = "true"
    return details


@router.get(
    "/api/booking/{booking_id}",
    operation_id="get_booking_status",
    summary="Look up a booking",
    response_description="The booking.",
    responses=refusals(BookingNotFound),
    openapi_extra={"x-msil-audit-subjects": ["booking_id", "vehicle_registration"]},
)
async def get_booking_status(
    booking_id: Annotated[BookingIdInput, Path()], session: ReadSession
) -> BookingDetails:
    """Show one booking: its status, dealer, day, time and service.

    Use it when a customer asks about an appointment, or right after booking to confirm it. It
    changes nothing. An id that does not exist is a 404 problem.
    """
    return await booking_with_id(session, booking_id=booking_id)
