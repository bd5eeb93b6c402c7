"""Pure rules that are easier to see without HTTP: distances and the calendar."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking_api.errors import BookingError
from booking_api.geography import city_key, distance_km, match_area, place_key
from booking_api.schedule import (
    SLOT_TIMES,
    closed_because,
    ensure_bookable,
    ensure_open_day,
    next_open_day,
)

DAYS = st.dates(date(2025, 1, 1), date(2035, 12, 31))
LATITUDES, LONGITUDES = st.floats(-90, 90), st.floats(-180, 180)


def test_distance_is_what_maps_say():
    mumbai_to_delhi = distance_km(
        latitude=19.0760, longitude=72.8777, to_latitude=28.6139, to_longitude=77.2090
    )
    assert mumbai_to_delhi == pytest.approx(1148, abs=6)


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
def test_distance_is_symmetric_and_at_most_half_round_the_earth(north, east, north2, east2):
    there = distance_km(latitude=north, longitude=east, to_latitude=north2, to_longitude=east2)
    back = distance_km(latitude=north2, longitude=east2, to_latitude=north, to_longitude=east)
    assert there == pytest.approx(back, abs=1e-6)
    assert 0 <= there <= 20016


def test_slots_are_half_hourly_and_end_with_the_half_day():
    assert len(SLOT_TIMES) == 12
    assert (SLOT_TIMES[0], SLOT_TIMES[5], SLOT_TIMES[6], SLOT_TIMES[11]) == (
        *("09:00", "11:30"),
        *("14:00", "16:30"),
    )


@given(DAYS)
def test_the_next_open_day_is_the_first_later_day_that_is_not_closed(day):
    following = next_open_day(day)
    assert following > day
    assert closed_because(following) is None
    between = [day + timedelta(days=n) for n in range(1, (following - day).days)]
    assert all(closed_because(closed) for closed in between)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)), st.integers(-5, 100))  # noqa: DTZ001
def test_a_bookable_day_is_open_not_past_and_within_ninety_days(moment, ahead):
    now = moment.replace(tzinfo=UTC)
    today = (now + timedelta(hours=5, minutes=30)).date()
    day = today + timedelta(days=ahead)
    expected = 0 <= ahead <= 90 and closed_because(day) is None
    try:
        ensure_open_day(day, now=now)
    except BookingError:
        assert not expected
    else:
        assert expected


def test_the_slot_of_this_very_minute_has_passed():
    now = datetime.fromisoformat("2026-03-02T09:00:00+05:30")
    with pytest.raises(BookingError, match="already begun"):
        ensure_bookable(date(2026, 3, 2), "09:00", now=now)
    ensure_bookable(date(2026, 3, 2), "09:30", now=now)


@given(st.text(max_size=40))
def test_place_keys_are_stable(name):
    assert place_key(place_key(name)) == place_key(name)
    assert city_key(city_key(name)) == city_key(name)


def test_the_longest_known_area_wins():
    known = frozenset({"koregaon", "koregaonpark"})
    assert match_area("Koregaon Park Annexe", known=known) == "koregaonpark"
    assert match_area("Park", known=known) is None
    assert match_area("", known=known) is None
