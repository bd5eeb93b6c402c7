"""What a new database starts with. Everybody in it is invented; the places are real.

Rows are inserted when absent and never overwritten. Service dates are fixed, so that every
installation shows the same vehicles.
"""

from datetime import date
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncSession

from booking_api.database import Base, insert_if_absent
from booking_api.geography import city_key, place_key
from booking_api.models import Area, Customer, Dealer, Vehicle

Row = dict[str, Any]

_WORKING_HOURS: Final = "Mon-Sat 09:00-17:00, slots 09:00-12:00 and 14:00-17:00"
_QUICK: Final = ("regular", "express")
_EVERYTHING: Final = ("regular", "express", "body_repair")

CUSTOMERS: Final[tuple[Row, ...]] = (
    {
        "customer_id": "CUST-0001",
        "name": "Aarav Kulkarni",
        "mobile": "9876543210",
        "email": "aarav.kulkarni@example.com",
        "address": "Flat 402, Example Heights, Hinjewadi Phase 1, Pune 411057",
        "city": "Pune",
    },
    {
        "customer_id": "CUST-0002",
        "name": "Diya Sharma",
        "mobile": "9876543211",
        "email": "diya.sharma@example.com",
        "address": "12 Sample Lane, Baner, Pune 411045",
        "city": "Pune",
    },
    {
        "customer_id": "CUST-0003",
        "name": "Rohan Shetty",
        "mobile": "9876543212",
        "email": "rohan.shetty@example.com",
        "address": "7 Specimen Road, Whitefield, Bengaluru 560066",
        "city": "Bengaluru",
    },
    {
        "customer_id": "CUST-0004",
        "name": "Meera Nair",
        "mobile": "9123456789",
        "email": "meera.nair@example.com",
        "address": "Pocket 5, Model Apartments, Dwarka Sector 12, New Delhi 110078",
        "city": "Delhi",
    },
)

VEHICLES: Final[tuple[Row, ...]] = (
    {
        "vehicle_id": "VEH-0001",
        "owner_id": "CUST-0001",
        "registration_number": "MH12AB1234",
        "model": "Swift",
        "variant": "ZXI+",
        "color": "Pearl Arctic White",
        "year": 2023,
        "fuel_type": "PETROL",
        "last_service_date": date(2026, 5, 18),
        "next_service_due": date(2026, 11, 18),
        "odometer_reading": 28450,
    },
    {
        "vehicle_id": "VEH-0002",
        "owner_id": "CUST-0002",
        "registration_number": "MH12CD5678",
        "model": "Baleno",
        "variant": "Alpha",
        "color": "Nexa Blue",
        "year": 2022,
        "fuel_type": "PETROL",
        "last_service_date": date(2026, 7, 6),
        "next_service_due": date(2027, 1, 6),
        "odometer_reading": 35120,
    },
    {
        "vehicle_id": "VEH-0003",
        "owner_id": "CUST-0001",
        "registration_number": "MH14EF9012",
        "model": "Brezza",
        "variant": "ZXI",
        "color": "Sizzling Red",
        "year": 2024,
        "fuel_type": "HYBRID",
        "last_service_date": date(2026, 8, 24),
        "next_service_due": date(2027, 2, 24),
        "odometer_reading": 15780,
    },
    {
        "vehicle_id": "VEH-0004",
        "owner_id": "CUST-0003",
        "registration_number": "KA01MN3456",
        "model": "Ertiga",
        "variant": "VXI CNG",
        "color": "Magma Grey",
        "year": 2021,
        "fuel_type": "CNG",
        "last_service_date": date(2026, 4, 13),
        "next_service_due": date(2026, 10, 13),
        "odometer_reading": 52340,
    },
    {
        "vehicle_id": "VEH-0005",
        "owner_id": "CUST-0004",
        "registration_number": "DL8CAB7890",
        "model": "Dzire",
        "variant": "VXI",
        "color": "Oxford Blue",
        "year": 2020,
        "fuel_type": "PETROL",
        "last_service_date": date(2026, 6, 29),
        "next_service_due": date(2026, 12, 29),
        "odometer_reading": 61200,
    },
    {
        "vehicle_id": "VEH-0006",
        "owner_id": "CUST-0004",
        "registration_number": "26BH6517AA",
        "model": "Fronx",
        "variant": "Delta+",
        "color": "Grandeur Grey",
        "year": 2026,
        "fuel_type": "PETROL",
        "last_service_date": None,
        "next_service_due": date(2027, 1, 15),
        "odometer_reading": 4310,
    },
)

# Code, name, address, the place (city, area and point), rating, phone, and what it offers.
_DEALERS: Final = (
    (
        "MSIL-PUNE-001",
        "MSIL Service Hinjewadi",
        "Plot 12, Infotech Park Road, Hinjewadi Phase 1, Pune 411057",
        ("Pune", "Hinjewadi", 18.5892, 73.7361),
        4.5,
        "+91 20 5550 1001",
        _EVERYTHING,
    ),
    (
        "MSIL-PUNE-002",
        "MSIL Service Baner",
        "Survey 48, Baner Road, Baner, Pune 411045",
        ("Pune", "Baner", 18.5614, 73.7846),
        4.7,
        "+91 20 5550 1002",
        _QUICK,
    ),
    (
        "MSIL-PUNE-003",
        "MSIL Service Kharadi",
        "Lane 3, Nagar Road, Kharadi, Pune 411014",
        ("Pune", "Kharadi", 18.5538, 73.9412),
        4.3,
        "+91 20 5550 1003",
        _EVERYTHING,
    ),
    (
        "MSIL-PUNE-004",
        "MSIL Service Wakad",
        "Datta Mandir Road, Wakad, Pune 411057",
        ("Pune", "Wakad", 18.5971, 73.7704),
        4.4,
        "+91 20 5550 1004",
        _QUICK,
    ),
    (
        "MSIL-MUM-001",
        "MSIL Service Andheri",
        "Unit 5, Saki Vihar Road, Andheri East, Mumbai 400072",
        ("Mumbai", "Andheri", 19.1163, 72.8691),
        4.6,
        "+91 22 5550 2001",
        _EVERYTHING,
    ),
    (
        "MSIL-BLR-001",
        "MSIL Service Whitefield",
        "21 ITPL Main Road, Whitefield, Bengaluru 560066",
        ("Bengaluru", "Whitefield", 12.9772, 77.7441),
        4.5,
        "+91 80 5550 3001",
        _EVERYTHING,
    ),
    (
        "MSIL-DEL-001",
        "MSIL Service Dwarka",
        "Sector 10 Market, Dwarka, New Delhi 110075",
        ("Delhi", "Dwarka", 28.5852, 77.0576),
        4.4,
        "+91 11 5550 4001",
        _QUICK,
    ),
)

_CENTRES: Final[dict[str, tuple[float, float]]] = {
    "Pune": (18.5204, 73.8567),
    "Mumbai": (19.0760, 72.8777),
    "Bengaluru": (12.9716, 77.5946),
    "Delhi": (28.6139, 77.2090),
}
# City, the names an area goes by (the first is shown), latitude and longitude of its centre.
_AREAS: Final = (
    ("Pune", ("Hinjewadi", "Hinjawadi"), 18.5913, 73.7389),
    ("Pune", ("Baner",), 18.5590, 73.7868),
    ("Pune", ("Kharadi",), 18.5515, 73.9348),
    ("Pune", ("Wakad",), 18.5990, 73.7623),
    ("Pune", ("Aundh",), 18.5580, 73.8075),
    ("Pune", ("Hadapsar",), 18.5089, 73.9260),
    ("Pune", ("Koregaon Park",), 18.5362, 73.8940),
    ("Pune", ("Kothrud",), 18.5074, 73.8077),
    ("Pune", ("Magarpatta",), 18.5158, 73.9272),
    ("Pune", ("Pimpri", "Pimpri-Chinchwad", "Chinchwad"), 18.6279, 73.8009),
    ("Pune", ("Shivajinagar", "Shivaji Nagar"), 18.5308, 73.8475),
    ("Pune", ("Viman Nagar",), 18.5679, 73.9143),
    ("Mumbai", ("Andheri",), 19.1197, 72.8464),
    ("Mumbai", ("Bandra",), 19.0596, 72.8295),
    ("Mumbai", ("Borivali",), 19.2307, 72.8567),
    ("Mumbai", ("Chembur",), 19.0522, 72.9005),
    ("Mumbai", ("Dadar",), 19.0178, 72.8478),
    ("Mumbai", ("Goregaon",), 19.1663, 72.8526),
    ("Mumbai", ("Malad",), 19.1874, 72.8484),
    ("Mumbai", ("Powai",), 19.1176, 72.9060),
    ("Bengaluru", ("Whitefield",), 12.9698, 77.7500),
    ("Bengaluru", ("Electronic City",), 12.8452, 77.6602),
    ("Bengaluru", ("Hebbal",), 13.0358, 77.5970),
    ("Bengaluru", ("HSR Layout", "HSR"), 12.9116, 77.6389),
    ("Bengaluru", ("Indiranagar", "Indira Nagar"), 12.9784, 77.6408),
    ("Bengaluru", ("Jayanagar", "Jaya Nagar"), 12.9308, 77.5838),
    ("Bengaluru", ("Koramangala",), 12.9352, 77.6245),
    ("Bengaluru", ("Marathahalli",), 12.9591, 77.6974),
    ("Delhi", ("Dwarka",), 28.5921, 77.0460),
    ("Delhi", ("Connaught Place", "CP"), 28.6315, 77.2167),
    ("Delhi", ("Janakpuri", "Janak Puri"), 28.6219, 77.0878),
    ("Delhi", ("Karol Bagh",), 28.6514, 77.1907),
    ("Delhi", ("Lajpat Nagar",), 28.5677, 77.2433),
    ("Delhi", ("Rohini",), 28.7495, 77.0565),
    ("Delhi", ("Saket",), 28.5245, 77.2066),
    ("Delhi", ("Vasant Kunj",), 28.5200, 77.1590),
)


async def plant(session: AsyncSession) -> None:
    """Insert what is not there yet; rows that exist stay as they are."""
    tables: tuple[tuple[type[Base], list[Row]], ...] = (
        (Customer, list(CUSTOMERS)),
        (Vehicle, list(VEHICLES)),
        (Dealer, _dealer_rows()),
        (Area, _area_rows()),
    )
    for table, rows in tables:
        await session.execute(insert_if_absent(session, table), rows)


def _dealer_rows() -> list[Row]:
    return [
        {
            "dealer_code": code,
            "name": name,
            "address": address,
            "city": city,
            "city_key": city_key(city),
            "area": area,
            "latitude": latitude,
            "longitude": longitude,
            "rating": rating,
            "phone": phone,
            "services": list(services),
            "working_hours": _WORKING_HOURS,
        }
        for code, name, address, place, rating, phone, services in _DEALERS
        for city, area, latitude, longitude in (place,)
    ]


def _area_rows() -> list[Row]:
    centres = [_area_row(city, city, "", point) for city, point in _CENTRES.items()]
    return centres + [
        _area_row(city, names[0], place_key(alias), (latitude, longitude))
        for city, names, latitude, longitude in _AREAS
        for alias in names
    ]


def _area_row(city: str, name: str, area_key: str, point: tuple[float, float]) -> Row:
    return {
        "city_key": city_key(city),
        "area_key": area_key,
        "city": city,
        "name": name,
        "latitude": point[0],
        "longitude": point[1],
    }
