"""create_service_booking and get_booking_status, over HTTP on both databases."""

import re
from datetime import datetime

import pytest

from booking_api.schedule import INDIA

pytestmark = pytest.mark.anyio


async def test_a_booking_is_a_row_and_can_be_looked_up(service, client, order):
    created = await client.book(order | {"notes": "Brakes squeal.\nAC is weak."})
    assert created.status == 201
    booking = created.body
    assert booking == {
        "booking_id": booking["booking_id"],
        **order,
        "dealer_name": "MSIL Service Hinjewadi",
        "notes": "Brakes squeal.\nAC is weak.",
        "status": "CONFIRMED",
        "estimated_duration": "3-4 hours",
        "created_at": "2026-03-02T08:15:00+05:30",
    }
    assert created.headers["location"] == f"/api/booking/{booking['booking_id']}"
    assert "idempotency-replayed" not in created.headers
    looked_up = await client.get(created.headers["location"])
    assert (looked_up.status, looked_up.body) == (200, booking)
    rows = service.query(
        "SELECT customer_id, vehicle_id, dealer_code, seat, status FROM bookings "
        f"WHERE booking_id = '{booking['booking_id']}'"
    )
    assert rows == [("CUST-0001", "VEH-0001", "MSIL-PUNE-001", 1, "CONFIRMED")]


@pytest.mark.parametrize(
    ("service_type", "duration"),
    [("regular", "3-4 hours"), ("express", "1-2 hours"), ("body_repair", "1-2 days")],
)
async def test_each_service_says_how_long_it_takes(client, order, service_type, duration):
    created = await client.book(order | {"service_type": service_type})
    assert created.status == 201
    assert created.body["estimated_duration"] == duration


async def test_booking_id_carries_the_day_of_creation_in_india(service, client, order):
    with service.clock.at(datetime.fromisoformat("2026-03-02T20:00:00+00:00")):
        created = await client.book(order | {"appointment_date": "2026-03-20"})
    assert re.fullmatch("BK260303[A-Z0-9]{4}", created.body["booking_id"])
    assert created.body["created_at"] == "2026-03-03T01:30:00+05:30"


async def test_inputs_are_cleaned_before_they_are_stored(client, order):
    created = await client.book(
        order
        | {
            "customer_mobile": "+91 91234-56789",
            "vehicle_registration": "dl 8c ab 7890",
            "dealer_code": "msil-del-001",
        }
    )
    assert created.status == 201
    assert created.body["customer_mobile"] == "9123456789"
    assert created.body["vehicle_registration"] == "DL8CAB7890"
    assert created.body["dealer_code"] == "MSIL-DEL-001"


async def test_booking_id_is_found_in_any_case(client, order):
    created = await client.book(order)
    looked_up = await client.get(f"/api/booking/{created.body['booking_id'].lower()}")
    assert looked_up.status == 200


async def test_an_unknown_booking_is_a_404(client):
    answer = await client.get("/api/booking/BK260302ZZZZ")
    assert answer.status == 404
    assert answer.body["code"] == "booking_not_found"
    assert "BK260302ZZZZ" in answer.body["detail"]


async def test_what_is_no_booking_id_is_refused_with_an_example(client):
    answer = await client.get("/api/booking/12345")
    assert answer.status == 422
    assert answer.body["errors"] == [
        {"location": "path", "field": "booking_id", "detail": answer.body["errors"][0]["detail"]}
    ]
    assert "for example BK260302A7X9" in answer.body["detail"]


@pytest.mark.parametrize(
    ("change", "status", "code", "advice"),
    [
        ({"customer_mobile": "6000000001"}, 404, "customer_not_found", "try again"),
        ({"vehicle_registration": "MH12ZZ9999"}, 404, "vehicle_not_found", "Check the plate"),
        (
            {"vehicle_registration": "MH12CD5678"},
            422,
            "vehicle_of_another_customer",
            "mobile number of the vehicle's owner",
        ),
        ({"dealer_code": "MSIL-PUNE-009"}, 404, "dealer_not_found", "get_nearby_dealers"),
        (
            {"dealer_code": "MSIL-PUNE-002", "service_type": "body_repair"},
            422,
            "service_not_offered",
            "it offers regular, express",
        ),
        ({"appointment_time": "12:00"}, 422, "not_a_slot", "Choose one of 09:00, 09:30"),
        ({"appointment_time": "17:00"}, 422, "not_a_slot", "16:30"),
        ({"appointment_time": "10:15"}, 422, "not_a_slot", "10:00"),
        ({"appointment_time": "10 AM"}, 422, "invalid_request", "HH:MM"),
        ({"appointment_time": "24:00"}, 422, "invalid_request", "HH:MM"),
        ({"dealer_code": "Hinjewadi"}, 422, "invalid_request", "MSIL-PUNE-001"),
        ({"service_type": None}, 422, "invalid_request", "'regular', 'express' or 'body_repair'"),
        ({"appointment_date": "2026-02-27"}, 422, "outside_booking_window", "2026-03-02 (today)"),
        ({"appointment_date": "2026-06-01"}, 422, "outside_booking_window", "2026-05-31"),
        ({"appointment_date": "2026-03-08"}, 422, "dealer_closed", "2026-03-09"),
    ],
)
async def test_a_booking_that_cannot_be_says_what_to_do(
    service, client, order, change, status, code, advice
):
    before = service.query("SELECT count(*) FROM bookings")
    answer = await client.book(order | change)
    assert (answer.status, answer.body["code"]) == (status, code)
    assert advice in answer.body["detail"]
    assert service.query("SELECT count(*) FROM bookings") == before


async def test_whose_vehicle_it_is_stays_private(client, order):
    answer = await client.book(order | {"vehicle_registration": "MH12CD5678"})
    assert "Diya" not in str(answer.body)
    assert "9876543211" not in str(answer.body)


async def test_a_slot_of_today_that_has_begun_cannot_be_booked(service, client, order):
    today = {"appointment_date": "2026-03-02", "appointment_time": "10:00"}
    with service.clock.at(datetime(2026, 3, 2, 10, 0, tzinfo=INDIA)):
        refused = await client.book(order | today)
    with service.clock.at(datetime(2026, 3, 2, 9, 59, tzinfo=INDIA)):
        accepted = await client.book(order | today)
    assert (refused.status, refused.body["code"]) == (422, "slot_passed")
    assert accepted.status == 201


async def test_a_cancelled_booking_frees_its_seat(service, client, order):
    order |= {"service_type": "express"}
    made = [await client.book(order) for _ in range(3)]
    assert (await client.book(order)).status == 409
    cancelled = made[1].body["booking_id"]
    service.query(
        "UPDATE bookings SET status = 'CANCELLED', seat = NULL "
        f"WHERE booking_id = '{cancelled}' RETURNING 1"
    )
    assert (await client.book(order)).status == 201
    assert (await client.get(f"/api/booking/{cancelled}")).body["status"] == "CANCELLED"


async def test_a_booking_id_that_is_taken_is_drawn_again(stopped_service, connected, order):
    suffixes = iter(["AAAA", "AAAA", "AAAA", "BBBB"])
    with stopped_service.running(draw_suffix=lambda: next(suffixes)) as service:
        async with connected(service) as client:
            first, second = await client.book(order), await client.book(order)
    assert first.body["booking_id"] == "BK260302AAAA"
    assert second.body["booking_id"] == "BK260302BBBB"
