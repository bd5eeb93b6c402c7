"""Mobile numbers, registration plates and booking ids: what is accepted, what is stored.

The patterns are published in the OpenAPI document and are what the functions check, so a client
that validates against the document and this service refuse the same shapes.
"""

import re
import secrets
import string
from datetime import datetime
from typing import Final

from booking_api.schedule import INDIA

_SEP: Final = "[ .-]*"

MOBILE_PATTERN: Final = r"^ *(?:(?:\+?91|0)[ -]*)?[6-9](?:[ -]*[0-9]){9} *$"
REGISTRATION_PATTERN: Final = (
    "^ *(?:"
    # MH12AB1234, DL8CAB7890, and plates older than the series letters: MH121234
    f"[A-Za-z]{{2}}{_SEP}[0-9]{{1,2}}{_SEP}[A-Za-z](?:{_SEP}[A-Za-z]){{0,2}}{_SEP}[0-9]{{1,4}}"
    f"|[A-Za-z]{{2}}{_SEP}[0-9]{{2}}{_SEP}[0-9]{{4}}"
    # Bharat series, for owners who move between states: 22BH1234AA
    f"|[0-9]{{2}}{_SEP}[Bb][Hh]{_SEP}[0-9]{{4}}{_SEP}[A-Za-z](?:{_SEP}[A-Za-z])?"
    ") *$"
)
BOOKING_ID_PATTERN: Final = "^ *[Bb][Kk][0-9]{6}[A-Za-z0-9]{4} *$"
DEALER_CODE_PATTERN: Final = "^ *[A-Za-z]{2,8}-[A-Za-z]{2,8}-[0-9]{3} *$"

# States and union territories as they are printed, with the codes that were replaced
# (OR by OD, UA by UK, TS by TG, DN by DD) because old plates keep them.
REGION_CODES: Final = (
    "A[NPRS]|BR|C[GH]|D[DLN]|G[AJ]|H[PR]|J[HK]|K[AL]|L[AD]|M[HLNPZ]|NL|O[DR]|P[BY]|RJ|SK|"
    "T[GNRS]|U[AKP]|WB"
)
FIRST_BHARAT_YEAR: Final = 21

_MOBILE = re.compile(MOBILE_PATTERN)
_REGISTRATION = re.compile(REGISTRATION_PATTERN)
_BOOKING_ID = re.compile(BOOKING_ID_PATTERN)
_REGION = re.compile(REGION_CODES)
_STATE_PLATE = re.compile("([A-Z]{2})([0-9]{1,2})([A-Z]{1,3})([0-9]{1,4})")
_OLD_PLATE = re.compile("([A-Z]{2})([0-9]{2})()([0-9]{4})")
_BHARAT_PLATE = re.compile("([0-9]{2})BH([0-9]{4})([A-Z]{1,2})")
_SUFFIX_ALPHABET = string.ascii_uppercase + string.digits


def normalise_mobile(text: str) -> str:
    """Ten digits, without country code, spaces or dashes.

    Raises:
        ValueError: It is not an Indian mobile number; the message says what one looks like.
    """
    if not _MOBILE.fullmatch(text):
        raise ValueError(
            "is not an Indian mobile number: give 10 digits that start with 6, 7, 8 or 9, for "
            "example 9876543210; +91, spaces and dashes are fine"
        )
    return re.sub("[^0-9]", "", text)[-10:]


def normalise_registration(text: str) -> str:
    """The plate in capitals without separators, the way registration records hold it.

    The office number has two digits (MH2 becomes MH02) except in Delhi (DL08 becomes DL8), and
    the running number four. Normalising twice changes nothing.

    Raises:
        ValueError: It is not an Indian plate; the message says what one looks like.
    """
    if not _REGISTRATION.fullmatch(text):
        raise ValueError(
            "is not an Indian registration number: give one like MH12AB1234, DL8CAB7890 or, for "
            "the BH series, 22BH1234AA; spaces, dots and dashes are fine"
        )
    plate = re.sub("[^A-Za-z0-9]", "", text).upper()
    bharat = _BHARAT_PLATE.fullmatch(plate)
    if bharat:
        return _checked_bharat(plate, year=int(bharat[1]), number=bharat[2])
    parts = _STATE_PLATE.fullmatch(plate) or _OLD_PLATE.fullmatch(plate)
    if parts is None:  # the published pattern admits nothing else
        raise ValueError("is not an Indian registration number")
    region, office, series, number = parts.groups()
    if not _REGION.fullmatch(region):
        raise ValueError(
            f"starts with {region}, which is no state or union territory of India: check the "
            "first two letters, for example MH, DL or KA"
        )
    if int(office) == 0 or int(number) == 0:
        raise ValueError("has an office or running number of zero, which is never issued")
    office = str(int(office)) if region == "DL" else f"{int(office):02d}"
    return f"{region}{office}{series}{int(number):04d}"


def _checked_bharat(plate: str, *, year: int, number: str) -> str:
    if year < FIRST_BHARAT_YEAR:
        raise ValueError("is dated before 2021, when the BH series began: check the first digits")
    if int(number) == 0:
        raise ValueError("has a running number of zero, which is never issued")
    return plate


def normalise_booking_id(text: str) -> str:
    """The id in capitals.

    Raises:
        ValueError: It does not have the shape of a booking id.
    """
    if not _BOOKING_ID.fullmatch(text):
        raise ValueError(
            "is not a booking id: give BK, six digits and four letters or digits, for example "
            "BK260302A7X9, exactly as create_service_booking returned it"
        )
    return text.strip().upper()


def draw_suffix() -> str:
    """Four characters nobody can guess from the booking before."""
    return "".join(secrets.choice(_SUFFIX_ALPHABET) for _ in range(4))


def compose_booking_id(*, created_at: datetime, suffix: str) -> str:
    """BK, the day of creation in India as YYMMDD, and the suffix."""
    return f"BK{created_at.astimezone(INDIA):%y%m%d}{suffix}"
