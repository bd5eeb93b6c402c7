"""Days, times, places and identifiers in free words, in both languages."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msil_mcp.llm.scripted.dates import find_day
from msil_mcp.llm.scripted.language import conversation_language, language_of
from msil_mcp.llm.scripted.places import Place, find_place
from msil_mcp.llm.scripted.text import load
from msil_mcp.llm.scripted.times import find_time
from msil_mcp.llm.scripted.understanding import understand

WEDNESDAY = date(2026, 11, 25)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("today", "2026-11-25"),
        ("Tomorrow morning", "2026-11-26"),
        ("the day after tomorrow", "2026-11-27"),
        ("day after", "2026-11-27"),
        ("in 3 days", "2026-11-28"),
        ("teen din baad", "2026-11-28"),
        ("Thursday", "2026-11-26"),
        ("on wednesday", "2026-12-02"),
        ("next Friday", "2026-12-04"),
        ("next Monday", "2026-11-30"),
        ("2026-12-09", "2026-12-09"),
        ("4/12", "2026-12-04"),
        ("04-12-2026", "2026-12-04"),
        ("4.12.26", "2026-12-04"),
        ("4 December", "2026-12-04"),
        ("December 4th", "2026-12-04"),
        ("3rd of March", "2027-03-03"),
        ("5 Jan 2027", "2027-01-05"),
        ("kal", "2026-11-26"),
        ("परसों", "2026-11-27"),
        ("अगले शुक्रवार", "2026-12-04"),
        ("somvar ko", "2026-11-30"),
        ("४ दिसंबर", "2026-12-04"),
    ],
)
def test_a_day_in_words_is_a_date(text: str, day: str) -> None:
    assert find_day(text, today=WEDNESDAY) == date.fromisoformat(day)


@pytest.mark.parametrize("text", ["", "31/02/2026", "10:30", "10.30 am", "MH12", "calendar"])
def test_what_names_no_day_is_none(text: str) -> None:
    assert find_day(text, today=WEDNESDAY) is None


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("10 AM", "10:00"),
        ("10am", "10:00"),
        ("2 p.m.", "14:00"),
        ("10:30", "10:30"),
        ("10.30 am", "10:30"),
        ("2:30 pm please", "14:30"),
        ("10:30 please", "10:30"),
        ("14:00", "14:00"),
        ("at 3", "15:00"),
        ("at 9", "09:00"),
        ("11 o'clock", "11:00"),
        ("half past ten", "10:30"),
        ("noon", "12:00"),
        ("subah 10 baje", "10:00"),
        ("das baje", "10:00"),
        ("sham 4 baje", "16:00"),
        ("saadhe das baje", "10:30"),
        ("सुबह साढ़े नौ बजे", "09:30"),
        ("दोपहर २ बजे", "14:00"),
        ("सवा ग्यारह बजे", "11:15"),
        ("पौने तीन बजे", "14:45"),
    ],
)
def test_a_time_in_words_is_on_the_24_hour_clock(text: str, time: str) -> None:
    assert find_time(text) == time


def test_a_number_alone_is_a_time_only_where_one_was_asked_for() -> None:
    assert find_time("11") is None
    assert find_time("11", bare=True) == "11:00"
    assert find_time("4/12") is None


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("near Hinjewadi, Pune", Place("Pune", "Hinjewadi")),
        ("Hinjewadi", Place("Pune", "Hinjewadi")),
        ("in Bangalore", Place("Bengaluru", None)),
        ("पुणे में बाणेर", Place("Pune", "Baner")),
        ("near Gandhi Nagar, Jaipur tomorrow", Place("Jaipur", "Gandhi Nagar")),
        ("near Springfield", Place("Springfield", None)),
        ("on Monday at Noon", None),
    ],
)
def test_places_are_found_by_name_and_by_position(text: str, place: Place | None) -> None:
    assert find_place(text) == place


def test_identifiers_are_cleaned_and_told_apart() -> None:
    heard = understand("reg no mh 12 ab 1234, mobile no +91 98765-43210, yes", today=WEDNESDAY)
    assert (heard.registration, heard.mobile) == ("MH12AB1234", "9876543210")
    assert heard.yes
    assert not heard.no
    assert understand("26 BH 6517 AA", today=WEDNESDAY).registration == "26BH6517AA"
    heard = understand("bk260302a7x9", today=WEDNESDAY)
    assert heard.booking_id == "BK260302A7X9"
    assert heard.registration is None


def test_the_last_message_that_shows_a_language_decides() -> None:
    assert language_of("9876543210, MH12AB1234") is None
    assert conversation_language(["कल", "9876543210"], system="") == "hi"
    assert conversation_language(["कल", "what do you have?"], system="") == "en"
    assert conversation_language(["9876543210"], system="Locale: hi-IN") == "hi"


def leaves(value: object, path: str = "") -> dict[str, set[str]]:
    if isinstance(value, dict):
        return {
            k: v for key, each in value.items() for k, v in leaves(each, f"{path}.{key}").items()
        }
    import string

    text = value if isinstance(value, str) else ""
    return {path: {name for _, name, _, _ in string.Formatter().parse(text) if name}}


def test_both_languages_say_the_same_things() -> None:
    assert leaves(load("en.toml")) == leaves(load("hi.toml"))


@given(st.text(max_size=80))
def test_no_text_breaks_the_understanding(text: str) -> None:
    understand(text, today=WEDNESDAY, expecting={"time", "place"})
