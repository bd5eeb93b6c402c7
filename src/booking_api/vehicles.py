"""Which car: vehicles by registration number."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.errors import VehicleNotFound
from booking_api.fields import Answer, RegistrationInput, RegistrationNumber, RequestBody
from booking_api.models import Vehicle
from booking_api.problems import refusals
from booking_api.resources import ReadSession

router = APIRouter()


class VehicleQuery(RequestBody):
    """The plate to look up."""

    registration_number: RegistrationInput


class VehicleProfile(Answer):
    """A vehicle and its service record."""

    vehicle_id: Annotated[
        str, Field(description="The vehicle's id at the dealers.", examples=["VEH-0001"])
    ]
    registration_number: RegistrationNumber
    model: Annotated[str, Field(description="Model name.", examples=["Swift"])]
    variant: Annotated[str, Field(description="Trim of the model.", examples=["ZXI+"])]
    color: Annotated[str, Field(description="Colour.", examples=["Pearl Arctic White"])]
    year: Annotated[int, Field(description="Year of manufacture.", examples=[2023])]
    fuel_type: Annotated[
        Literal["PETROL", "DIESEL", "CNG", "HYBRID", "ELECTRIC"],
        Field(description="What it runs on.", examples=["PETROL"]),
    ]
    last_service_date: Annotated[
        date | None,
        Field(
            description="Day of the last service; null when it never had one.",
            examples=["2026-05-18"],
        ),
    ]
    next_service_due: Annotated[
        date, Field(description="Day the next service is due.", examples=["2026-11-18"])
    ]
    odometer_reading: Annotated[
        int, Field(description="Kilometres at the last visit.", examples=[28450])
    ]


async def vehicle_with_plate(session: AsyncSession, *, registration_number: str) -> Vehicle:
    """The vehicle that carries a normalised plate.

    Raises:
        VehicleNotFound: None does.
    """
    found = await session.scalar(
        select(Vehicle).where(Vehicle.registration_number == registration_number)
    )
    if found is None:
        raise VehicleNotFound(registration_number=registration_number)
    return found


@router.post(
    "/api/vehicle/resolve",
    operation_id="resolve_vehicle",
    summary="Find a vehicle by registration number",
    response_description="The vehicle and its service record.",
    responses=refusals(VehicleNotFound),
    openapi_extra={
        "x-msil-class": "read",
        "x-msil-audit-subjects": ["registration_number", "vehicle_id"],
    },
)
async def resolve_vehicle(body: VehicleQuery, session: ReadSession) -> VehicleProfile:
    """Look up a vehicle by the registration number on its plate.

    Use it first when a customer names a vehicle: it confirms the plate and tells model, variant,
    fuel and when the next service is due. It changes nothing. A plate that no dealer knows is a
    404 problem.
    """
    vehicle = await vehicle_with_plate(session, registration_number=body.registration_number)
    return VehicleProfile.model_validate(vehicle)
