"""get_available_slots, over HTTP on both databases."""

from datetime import datetime, timedelta

import pytest

from booking_api.schedule import BOOKING_WINDOW_DAYS, INDIA

pytestmark = pytest.mark.anyio

SLOTS = "/api/slots/available"
TIMES = [
    *("09:00", "09:30", "10:00", "10:30", "11:00", "11:30"),
    *("14:00", "14:30", "15:00", "15:30", "16:00", "16:30"),
]


def ask(day, **more):
    return {"dealer_code": "MSIL-DEL-001", "date": str(day)} | more


async def test_an_open_day_has_twelve_half_hourly_slots(client):
    answer = await client.post(SLOTS, ask("2026-05-30"))
    assert answer.status == 200
    slots = answer.body["slots"]
    assert [slot["time"] for slot in slots] == TIMES
    assert {slot["capacity"] for slot in slots} == {5}
    assert all(slot["available"] and slot["booked"] == 0 for slot in slots)
    assert len({slot["slot_id"] for slot in slots}) == 12


async def test_express_services_have_three_seats_of_their_own(client, order):
    order |= {"service_type": "express"}
    for _ in range(3):
        assert (await client.book(order)).status == 201
    day, dealer = order["appointment_date"], order["dealer_code"]

    def slot_of(answer):
        return next(s for s in answer.body["slots"] if s["time"] == order["appointment_time"])

    express = slot_of(
        await client.post(SLOTS, ask(day, dealer_code=dealer, service_type="express"))
    )
    regular = slot_of(await client.post(SLOTS, ask(day, dealer_code=dealer)))
    assert (express["capacity"], express["booked"], express["available"]) == (3, 3, False)
    assert (regular["capacity"], regular["booked"], regular["available"]) == (5, 0, True)


async def test_dealer_code_is_accepted_in_any_case(client):
    answer = await client.post(SLOTS, ask("2026-03-03", dealer_code=" msil-del-001 "))
    assert answer.status == 200


async def test_todays_slots_that_have_begun_are_not_available(service, client):
    with service.clock.at(datetime(2026, 3, 2, 10, 30, tzinfo=INDIA)):
        answer = await client.post(SLOTS, ask("2026-03-02"))
    available = [slot["time"] for slot in answer.body["slots"] if slot["available"]]
    assert available == TIMES[4:]


async def test_today_is_todays_date_in_india(service, client):
    # 20:00 in London on the 2nd is half past one on the 3rd in India.
    with service.clock.at(datetime.fromisoformat("2026-03-02T20:00:00+00:00")):
        yesterday = await client.post(SLOTS, ask("2026-03-02"))
        today = await client.post(SLOTS, ask("2026-03-03"))
    assert yesterday.status == 422
    assert "from 2026-03-03 (today)" in yesterday.body["detail"]
    assert today.status == 200


async def test_the_booking_window_ends_after_ninety_days(service, client):
    last = service.clock.now.date() + timedelta(days=BOOKING_WINDOW_DAYS)
    within = await client.post(SLOTS, ask(last - timedelta(days=1)))  # the last one is a Sunday
    beyond = await client.post(SLOTS, ask(last + timedelta(days=1)))
    assert within.status == 200
    assert beyond.status == 422
    assert beyond.body["code"] == "outside_booking_window"
    assert f"to {last}." in beyond.body["detail"]


async def test_a_past_day_is_refused(client):
    answer = await client.post(SLOTS, ask("2026-02-28"))
    assert answer.status == 422
    assert answer.body["code"] == "outside_booking_window"
    assert "in the past" in answer.body["detail"]


@pytest.mark.parametrize(
    ("today", "closed", "reason", "next_open"),
    [
        ("2026-03-02", "2026-03-08", "a Sunday", "2026-03-09"),
        ("2026-01-20", "2026-01-26", "Republic Day", "2026-01-27"),
        ("2026-08-10", "2026-08-15", "Independence Day", "2026-08-17"),
        ("2026-09-28", "2026-10-02", "Gandhi Jayanti", "2026-10-03"),
        ("2026-12-21", "2026-12-25", "Christmas Day", "2026-12-26"),
    ],
)
async def test_a_closed_day_names_the_next_open_one(
    service, client, today, closed, reason, next_open
):
    with service.clock.at(datetime.fromisoformat(f"{today}T09:00:00+05:30")):
        answer = await client.post(SLOTS, ask(closed))
    assert answer.status == 422
    assert answer.body["code"] == "dealer_closed"
    assert reason in answer.body["detail"]
    assert f"next open day is {next_open}" in answer.body["detail"]


async def test_an_unknown_dealer_is_a_404_that_says_where_codes_come_from(client):
    answer = await client.post(SLOTS, ask("2026-03-03", dealer_code="MSIL-GOA-001"))
    assert answer.status == 404
    assert answer.body["code"] == "dealer_not_found"
    assert "get_nearby_dealers" in answer.body["detail"]


async def test_slots_of_a_service_the_dealer_does_not_offer_are_refused(client):
    answer = await client.post(SLOTS, ask("2026-03-03", service_type="body_repair"))
    assert answer.status == 422
    assert answer.body["code"] == "service_not_offered"
    assert "it offers regular, express" in answer.body["detail"]


@pytest.mark.parametrize("written", ["tomorrow", "03-03-2026", "2026-3-3", "2026-02-30", 20260303])
async def test_what_is_no_date_is_refused(client, written):
    answer = await client.post(SLOTS, ask("2026-03-03") | {"date": written})
    assert answer.status == 422
    assert answer.body["errors"][0]["field"] == "date"
