"""Mobile numbers, plates and booking ids: the published patterns and the code agree."""

import re
import string
from contextlib import suppress
from datetime import UTC, datetime

import jsonschema_rs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from booking_api.identifiers import (
    BOOKING_ID_PATTERN,
    MOBILE_PATTERN,
    REGISTRATION_PATTERN,
    compose_booking_id,
    draw_suffix,
    normalise_booking_id,
    normalise_mobile,
    normalise_registration,
)

DIGITS = "0123456789"
SEPARATORS = st.text(alphabet=" -", max_size=2)
ALNUM = string.ascii_letters + DIGITS


def matches(pattern, text):
    return jsonschema_rs.is_valid({"pattern": pattern}, text)


def spread(draw, parts, separators):
    return "".join(part + draw(separators) for part in parts[:-1]) + parts[-1]


@st.composite
def mobiles(draw):
    """A number and one of the ways people write it."""
    number = draw(st.sampled_from("6789")) + draw(st.text(alphabet=DIGITS, min_size=9, max_size=9))
    prefix = draw(st.sampled_from(["", "+91", "91", "0", "+91 ", "+91-"]))
    return number, prefix + spread(draw, list(number), SEPARATORS)


@st.composite
def plates(draw):
    """A plate as it is stored, and one of the ways people write it."""
    region = draw(st.sampled_from(["MH", "KA", "DL", "TN", "WB", "GJ", "OD", "LA"]))
    office = draw(st.integers(1, 99))
    series = draw(st.text(alphabet=string.ascii_uppercase, min_size=1, max_size=3))
    number = draw(st.integers(1, 9999))
    stored_office = str(office) if region == "DL" else f"{office:02d}"
    written_office = draw(st.sampled_from([str(office), f"{office:02d}"]))
    written_number = draw(st.sampled_from([str(number), f"{number:04d}"]))
    separators = st.text(alphabet=" .-", max_size=2)
    written = spread(draw, [region, written_office, *series, written_number], separators)
    written = draw(st.sampled_from([written, written.lower(), written.title()]))
    return f"{region}{stored_office}{series}{number:04d}", written


@st.composite
def bharat_plates(draw):
    year, number = draw(st.integers(21, 99)), draw(st.integers(1, 9999))
    letters = draw(st.text(alphabet=string.ascii_uppercase, min_size=1, max_size=2))
    separators = st.text(alphabet=" .-", max_size=2)
    written = spread(draw, [str(year), "BH", f"{number:04d}", letters], separators)
    return f"{year}BH{number:04d}{letters}", draw(st.sampled_from([written, written.lower()]))


@given(mobiles())
@example(("9198765432", "9198765432"))
@example(("9198765432", "+919198765432"))
def test_a_mobile_number_is_found_in_every_spelling(pair):
    number, written = pair
    assert normalise_mobile(written) == number
    assert matches(MOBILE_PATTERN, written)


@given(st.one_of(plates(), bharat_plates()))
@example(("DL8CAB7890", "DL 8C AB 7890"))
@example(("MH121234", "MH 12 1234"))
def test_a_plate_is_found_in_every_spelling(pair):
    plate, written = pair
    assert normalise_registration(written) == plate
    assert normalise_registration(plate) == plate
    assert matches(REGISTRATION_PATTERN, written)


NEAR_MISSES = st.one_of(
    st.text(max_size=30),
    st.text(alphabet=ALNUM + " .-+", max_size=20),
    st.from_regex(MOBILE_PATTERN),
)


@given(NEAR_MISSES)
@example("9876543210\n")
@example("९८७६५४३२१०")
def test_code_and_published_pattern_agree_on_mobile_numbers(text):
    try:
        number = normalise_mobile(text)
    except ValueError:
        assert not matches(MOBILE_PATTERN, text) or text.endswith("\n")
    else:
        assert matches(MOBILE_PATTERN, text)
        assert re.fullmatch("[6-9][0-9]{9}", number)


@given(st.one_of(NEAR_MISSES, st.from_regex(REGISTRATION_PATTERN, fullmatch=True)))
@example("MH12AB1234\n")
@example("\uff2d\uff2812AB1234")
def test_what_is_accepted_as_a_plate_matches_the_published_pattern_and_is_stable(text):
    with suppress(ValueError):
        plate = normalise_registration(text)
        assert matches(REGISTRATION_PATTERN, text)
        assert re.fullmatch("[A-Z0-9]{7,11}", plate)
        assert normalise_registration(plate) == plate


@given(
    st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2099, 1, 1)),  # noqa: DTZ001
    st.text(alphabet=string.ascii_uppercase + DIGITS, min_size=4, max_size=4),
)
def test_a_composed_booking_id_is_accepted_back(moment, suffix):
    booking_id = compose_booking_id(created_at=moment.replace(tzinfo=UTC), suffix=suffix)
    assert re.fullmatch("BK[0-9]{6}[A-Z0-9]{4}", booking_id)
    assert matches(BOOKING_ID_PATTERN, booking_id)
    assert normalise_booking_id(f" {booking_id.lower()} ") == booking_id


def test_suffixes_use_the_whole_alphabet_and_rarely_repeat():
    drawn = [draw_suffix() for _ in range(2000)]
    assert set("".join(drawn)) == set(string.ascii_uppercase + DIGITS)
    assert len(set(drawn)) > 1980


@pytest.mark.parametrize("hostile", ["9" * 50_000, " " * 50_000 + "x", "9 - " * 20_000])
def test_hostile_lengths_are_refused_at_once(hostile):
    with pytest.raises(ValueError, match="is not"):
        normalise_mobile(hostile)
    with pytest.raises(ValueError, match="is not"):
        normalise_registration(hostile)
