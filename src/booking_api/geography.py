"""Names of places as people type them, and distances between points. Pure."""

import re
from math import asin, cos, radians, sin, sqrt
from typing import Final

EARTH_RADIUS_KM: Final = 6371.0088

_FORMER_CITY_NAMES: Final = {
    "bangalore": "bengaluru",
    "bombay": "mumbai",
    "newdelhi": "delhi",
    "poona": "pune",
}


def place_key(name: str) -> str:
    """Letters and digits only, lower case: 'Aundh Road ' and 'aundh-road' are one place."""
    return re.sub("[^a-z0-9]", "", name.casefold())


def city_key(name: str) -> str:
    """The key of a city under its present name: Bombay is mumbai."""
    key = place_key(name)
    return _FORMER_CITY_NAMES.get(key, key)


def match_area(name: str, *, known: frozenset[str]) -> str | None:
    """The known area key that `name` means.

    An exact match wins; otherwise the longest known name it starts with, so that
    'Hinjewadi Phase 2' is found under Hinjewadi.
    """
    key = place_key(name)
    if key in known:
        return key
    return max((area for area in known if area and key.startswith(area)), key=len, default=None)


def distance_km(
    *, latitude: float, longitude: float, to_latitude: float, to_longitude: float
) -> float:
    """Great-circle distance between two points in degrees (haversine), in kilometres."""
    north = radians(to_latitude - latitude)
    east = radians(to_longitude - longitude)
    chord = (
        sin(north / 2) ** 2
        + cos(radians(latitude)) * cos(radians(to_latitude)) * sin(east / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, chord)))
