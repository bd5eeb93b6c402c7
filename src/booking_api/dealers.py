"""Where to go: dealers of a city, nearest first."""

from typing import Annotated, Final

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.errors import AreaNotKnown, CityNotServed, DealerNotFound, ServiceNotOffered
from booking_api.fields import (
    SERVICE_TYPE_DESCRIPTION,
    Answer,
    DealerCode,
    RequestBody,
)
from booking_api.geography import city_key, distance_km, match_area
from booking_api.models import Area, Dealer
from booking_api.problems import refusals
from booking_api.resources import ReadSession
from booking_api.schedule import ServiceType

router = APIRouter()

LISTED_DEALERS: Final = 5


class DealerQuery(RequestBody):
    """Where the customer is, and what work they need."""

    city: Annotated[
        str,
        Field(
            min_length=1,
            max_length=60,
            description="City, for example Pune, Mumbai, Bengaluru or Delhi. Case does not matter.",
            examples=["Pune"],
        ),
    ]
    area: Annotated[
        str | None,
        Field(
            max_length=60,
            description=(
                "Area of the city to measure distances from, for example Hinjewadi. Leave it out "
                "to measure from the centre of the city."
            ),
            examples=["Hinjewadi"],
        ),
    ] = None
    service_type: Annotated[
        ServiceType | None,
        Field(
            description=f"List only dealers that offer this. {SERVICE_TYPE_DESCRIPTION}",
            examples=["regular"],
        ),
    ] = None


class NearbyDealer(Answer):
    """A dealer and how far away it is."""

    dealer_code: DealerCode
    name: Annotated[str, Field(description="Name.", examples=["MSIL Service Hinjewadi"])]
    address: Annotated[
        str,
        Field(
            description="Street address.",
            examples=["Plot 12, Infotech Park Road, Hinjewadi Phase 1, Pune 411057"],
        ),
    ]
    city: Annotated[str, Field(description="City.", examples=["Pune"])]
    area: Annotated[str, Field(description="Area of the city.", examples=["Hinjewadi"])]
    distance_km: Annotated[
        float,
        Field(
            description="Kilometres in a straight line from the centre of the area or city.",
            examples=[0.4],
        ),
    ]
    rating: Annotated[
        float, Field(description="Customers' rating, 1 to 5.", ge=1, le=5, examples=[4.5])
    ]
    phone: Annotated[str, Field(description="Front desk.", examples=["+91 20 5550 1001"])]
    services: Annotated[
        list[ServiceType],
        Field(description="The service types it offers.", examples=[["regular", "express"]]),
    ]
    working_hours: Annotated[
        str,
        Field(
            description="Opening hours in words.",
            examples=["Mon-Sat 09:00-17:00, slots 09:00-12:00 and 14:00-17:00"],
        ),
    ]


class NearbyDealers(Answer):
    """Dealers, nearest first."""

    dealers: Annotated[
        list[NearbyDealer],
        Field(
            max_length=LISTED_DEALERS,
            description="At most five, nearest first; empty when none offers the service.",
        ),
    ]
    total: Annotated[
        int,
        Field(
            ge=0,
            description="How many dealers of the city match, listed or not.",
            examples=[4],
        ),
    ]


async def dealer_with_code(session: AsyncSession, *, dealer_code: str) -> Dealer:
    """The dealer with this code.

    Raises:
        DealerNotFound: There is none.
    """
    found = await session.get(Dealer, dealer_code)
    if found is None:
        raise DealerNotFound(dealer_code=dealer_code)
    return found


def ensure_offered(dealer: Dealer, service_type: ServiceType) -> None:
    """The dealer does this kind of work.

    Raises:
        ServiceNotOffered: It does not.
    """
    if service_type not in dealer.services:
        raise ServiceNotOffered(
            dealer_code=dealer.dealer_code, service_type=service_type, offered=dealer.services
        )


async def point_of_departure(session: AsyncSession, *, city: str, area: str | None) -> Area:
    """The centre to measure from.

    Raises:
        CityNotServed: There is no dealer in the city.
        AreaNotKnown: The city has no such area.
    """
    key = city_key(city)
    found = await session.scalars(select(Area).where(Area.city_key == key))
    areas = {row.area_key: row for row in found}
    if not areas:
        centres = select(Area.city).where(Area.area_key == "").order_by(Area.city)
        raise CityNotServed(cities=await session.scalars(centres))
    centre = areas.pop("")
    if area is None or not area.strip():
        return centre
    matched = match_area(area, known=frozenset(areas))
    if matched is None:
        names = sorted({row.name for row in areas.values()})
        raise AreaNotKnown(city=centre.city, areas=names)
    return areas[matched]


async def dealers_of_city(session: AsyncSession, *, key: str) -> list[Dealer]:
    """Every dealer of a city, by the city's key."""
    return list(await session.scalars(select(Dealer).where(Dealer.city_key == key)))


@router.post(
    "/api/dealers/nearby",
    operation_id="get_nearby_dealers",
    summary="List dealers near a place",
    response_description="Dealers, nearest first.",
    responses=refusals(CityNotServed, AreaNotKnown),
    openapi_extra={"x-msil-class": "read"},
)
async def get_nearby_dealers(body: DealerQuery, session: ReadSession) -> NearbyDealers:
    """List up to five dealers of a city, nearest first, with distance, rating and services.

    Use it when the customer says where they want the service, and take dealer_code from its
    answer for the calls that follow. Give service_type when it is known: not every dealer does
    body repairs. It changes nothing. A city without dealers or an area that is not on the map is
    a 404 problem that lists the names it knows.
    """
    origin = await point_of_departure(session, city=body.city, area=body.area)
    dealers = await dealers_of_city(session, key=origin.city_key)
    return nearest(dealers, origin=origin, service_type=body.service_type)


def nearest(
    dealers: list[Dealer], *, origin: Area, service_type: ServiceType | None
) -> NearbyDealers:
    """The dealers that offer the service, by distance from the origin and then by code."""
    offering = [
        (
            distance_km(
                latitude=origin.latitude,
                longitude=origin.longitude,
                to_latitude=dealer.latitude,
                to_longitude=dealer.longitude,
            ),
            dealer.dealer_code,
            dealer,
        )
        for dealer in dealers
        if service_type is None or service_type in dealer.services
    ]
    listed = sorted(offering, key=lambda item: item[:2])[:LISTED_DEALERS]
    return NearbyDealers(
        dealers=[_at_distance(dealer, away) for away, _, dealer in listed], total=len(offering)
    )


def _at_distance(dealer: Dealer, away: float) -> NearbyDealer:
    return NearbyDealer.model_validate(
        {name: getattr(dealer, name) for name in NearbyDealer.model_fields if name != "distance_km"}
        | {"distance_km": round(away, 1)}
    )
