"""Synthetic personal data in ten shapes, and text that only looks like it."""

import base64
import random
import string
from datetime import UTC, datetime, timedelta
from uuid import UUID

from msil_mcp.audit.checksums import luhn_holds, verhoeff_holds

SEED = 20260301
PLACES = (
    "{}",
    "call {} today",
    'field:"{}"',
    "({})",
    "first {}, then the rest.",
    "line\n{}\nline",
    "id={};next=1",
)


def digits(rng, count):
    return "".join(rng.choices(string.digits, k=count))


def capitals(rng, count):
    return "".join(rng.choices(string.ascii_uppercase, k=count))


def checked(rng, prefix, length, holds):
    body = prefix + digits(rng, length - len(prefix) - 1)
    return next(body + last for last in string.digits if holds(body + last))


def mobile(rng):
    return rng.choice("6789") + digits(rng, 9)


def mobile_plain(rng):
    number = mobile(rng)
    return rng.choice(("", "0", "91", "+91", "0091", "+91-", "+91 ")) + number, number


def mobile_grouped(rng):
    number = mobile(rng)
    cuts = rng.choice(((5,), (3, 6), (2, 6), (4, 7), (4,), (3, 7), (5, 7)))
    mark = rng.choice(" -")
    parts = [number[a:b] for a, b in zip((0, *cuts), (*cuts, 10), strict=True)]
    return rng.choice(("", "+91 ", "+91-", "0")) + mark.join(parts), number


def email(rng):
    local = "".join(rng.choices(string.ascii_lowercase + "._-+", k=9)).strip("._-+") + "x"
    return (value := f"{local}@{rng.choice(('example.com', 'mail.example.co.in'))}"), value


def aadhaar(rng):
    number = checked(rng, rng.choice("23456789"), 12, verhoeff_holds)
    mark = rng.choice(("", " ", "-"))
    return mark.join((number[:4], number[4:8], number[8:])), number


def card(rng):
    prefix, length = rng.choice((("4", 16), ("5", 16), ("37", 15), ("6", 16), ("36", 14)))
    number = checked(rng, prefix, length, luhn_holds)
    if length == 16 and rng.random() < 0.5:
        mark = rng.choice(" -")
        return mark.join(number[n : n + 4] for n in range(0, 16, 4)), number
    return number, number


def pan(rng):
    value = capitals(rng, 3) + rng.choice("PCHFATBLJG") + capitals(rng, 1)
    value += digits(rng, 4) + capitals(rng, 1)
    return (value, value) if rng.random() < 0.8 else (value.lower(), value.lower())


def plate(rng):
    state = rng.choice(("MH", "KA", "DL", "TN", "UP", "GJ", "WB"))
    district = f"{rng.randrange(1, 99):02}" if state != "DL" else str(rng.randrange(1, 9))
    parts = (state, district, capitals(rng, rng.randrange(1, 4)), f"{rng.randrange(1, 9999):04}")
    mark = rng.choice(("", "", " ", "-"))
    value = mark.join(parts)
    return value, value


def plate_bharat(rng):
    mark = rng.choice(("", " "))
    value = mark.join((digits(rng, 2), "BH", digits(rng, 4), capitals(rng, rng.randrange(1, 3))))
    return value, value


def bearer(rng):
    token = "".join(rng.choices(string.ascii_letters + string.digits, k=40)) + "7"
    return rng.choice(("Bearer ", "bearer ")) + token, token


def secret(rng):
    letters = string.ascii_letters + string.digits
    body = "".join(rng.choices(letters, k=50)) + "A1"
    encoded = base64.urlsafe_b64encode(rng.randbytes(30)).decode().rstrip("=")
    value = rng.choice(
        (
            f"msil_{body[:8]}_{body[8:51]}Z9",
            f"sk-proj-{body}",
            f"sk-{body}",
            f"eyJhbGciOiJFUzI1NiJ9.eyJ{encoded}.{encoded}",
            "AKIA" + "".join(rng.choices(string.ascii_uppercase + string.digits, k=16)),
        )
    )
    return value, value


SHAPES = {
    shape.__name__: shape
    for shape in (
        *(mobile_plain, mobile_grouped, email, aadhaar, card, pan, plate, plate_bharat),
        *(bearer, secret),
    )
}


def personal_values(shape, count):
    """(text, the value that must not be in it afterwards)."""
    rng = random.Random(f"{SEED}{shape}")
    for _ in range(count):
        written, value = SHAPES[shape](rng)
        yield rng.choice(PLACES).format(written), written, value


def harmless_texts(count):
    """Order ids, times, identifiers, measures and prose of our own."""
    rng = random.Random(SEED)
    alphabet = string.ascii_uppercase + string.digits
    start = datetime(2024, 1, 1, tzinfo=UTC)
    for _ in range(count):
        at = start + timedelta(seconds=rng.randrange(10**8), microseconds=rng.randrange(10**6))
        yield from (
            f"BK{at:%y%m%d}{''.join(rng.choices(alphabet, k=4))}",
            f"BK{at:%y%m%d}{digits(rng, 4)}",
            at.isoformat(),
            f"{at:%Y-%m-%d %H:%M}",
            f"{at:%Y-%m-%d %H:%M:%S} {at:%d/%m/%Y}",
            str(int(at.timestamp())),
            str(int(at.timestamp() * 1000)),
            str(UUID(int=rng.getrandbits(128))),
            f"{rng.getrandbits(128):032x}",
            f"{rng.getrandbits(256):064x}",
            f"00-{rng.getrandbits(128):032x}-{rng.getrandbits(64):016x}-01",
            f"MSIL-{rng.choice(('PUNE', 'MUM', 'BLR'))}-{rng.randrange(1, 99):03}",
            f"{rng.uniform(8, 37):.10f},{rng.uniform(68, 97):.7f}",
            f"{rng.randrange(1, 100)} of {rng.randrange(100, 9999)} slots on {at:%d %b %Y}",
            f"odometer {rng.randrange(10, 199999)} km, {rng.uniform(0, 99):.2f} km away",
            f"version {rng.randrange(9)}.{rng.randrange(40)}.{rng.randrange(99)}",
            f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}:8000",
            f"₹{rng.randrange(100, 99999)}.{rng.randrange(100):02} for {rng.randrange(1, 9)} items",
            f"page {rng.randrange(1, 400)}, as 10 to {rng.randrange(1000, 9999)} in 12 or 24",
            f"pin {rng.randrange(110001, 855117)} bearer of good news, basic information",
        )
