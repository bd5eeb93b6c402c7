"""One Idempotency-Key is one booking: repeated, at the same moment, and after a restart."""

import asyncio
from collections import Counter
from uuid import uuid4

import pytest

pytestmark = pytest.mark.anyio


def bookings_on(service, order):
    return service.query(
        "SELECT booking_id FROM bookings WHERE appointment_date = '{appointment_date}' AND "
        "appointment_time = '{appointment_time}' AND dealer_code = '{dealer_code}'".format(**order)
    )


async def test_the_same_key_and_details_return_the_same_booking(service, client, order):
    key = str(uuid4())
    first = await client.book(order, key=key)
    again = await client.book(order, key=key)
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotency-replayed"] == "true"
    assert bookings_on(service, order) == [(first.body["booking_id"],)]


async def test_the_answer_stays_the_first_one_when_the_booking_moves_on(service, client, order):
    key = str(uuid4())
    first = await client.book(order, key=key)
    service.query(
        "UPDATE bookings SET status = 'IN_PROGRESS' "
        f"WHERE booking_id = '{first.body['booking_id']}' RETURNING 1"
    )
    assert (await client.book(order, key=key)).body == first.body


async def test_the_same_details_written_differently_are_the_same_booking(client, order):
    key = str(uuid4())
    first = await client.book(order, key=key)
    respelt = {"customer_mobile": "+91 98765 43210", "vehicle_registration": "mh-12-ab-1234"}
    again = await client.book(order | respelt, key=key)
    assert again.body == first.body


@pytest.mark.parametrize(
    "change",
    [{"notes": "Also wash it."}, {"service_type": "express"}, {"dealer_code": "MSIL-PUNE-003"}],
)
async def test_the_same_key_with_other_details_is_refused(client, order, change):
    key = str(uuid4())
    await client.book(order, key=key)
    answer = await client.book(order | change, key=key)
    assert answer.status == 422
    assert answer.body["code"] == "idempotency_key_reused"
    assert "new key" in answer.body["detail"]


async def test_twenty_duplicates_at_once_make_one_booking(service, client, order):
    key = str(uuid4())
    answers = await asyncio.gather(*(client.book(order, key=key) for _ in range(20)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["booking_id"] for answer in answers}) == 1
    replayed = Counter("idempotency-replayed" in answer.headers for answer in answers)
    assert replayed == {True: 19, False: 1}
    assert len(bookings_on(service, order)) == 1


async def test_a_duplicate_of_the_last_seat_is_answered_not_refused(client, order):
    for _ in range(4):
        await client.book(order)
    key = str(uuid4())
    answers = await asyncio.gather(*(client.book(order, key=key) for _ in range(10)))
    assert {answer.status for answer in answers} == {201}


async def test_one_key_with_two_details_at_once_books_only_one(client, order):
    key = str(uuid4())
    answers = await asyncio.gather(
        *(client.book(order | {"notes": f"Variant {n % 2}."}, key=key) for n in range(10))
    )
    assert Counter(answer.status for answer in answers) == {201: 5, 422: 5}


async def test_a_refused_booking_leaves_its_key_free(client, order):
    key = str(uuid4())
    refused = await client.book(order | {"appointment_time": "12:00"}, key=key)
    accepted = await client.book(order, key=key)
    assert (refused.status, accepted.status) == (422, 201)


async def test_without_a_key_every_request_is_a_booking_of_its_own(service, client, order):
    first, second = await client.book(order), await client.book(order)
    assert first.body["booking_id"] != second.body["booking_id"]
    assert len(bookings_on(service, order)) == 2


@pytest.mark.parametrize("key", ["with space", "é", "k" * 256])
async def test_a_key_that_is_not_short_printable_ascii_is_refused(client, order, key):
    answer = await client.book(order, key=key)
    assert answer.status == 422
    assert answer.body["errors"][0]["location"] == "header"


async def test_a_key_survives_a_restart_and_the_day_it_was_made_for(
    stopped_service, connected, order
):
    key = str(uuid4())
    with stopped_service.running() as service:
        async with connected(service) as client:
            first = await client.book(order, key=key)
    with (
        stopped_service.running() as service,
        service.clock.at(service.clock.now.replace(year=2027)),
    ):
        async with connected(service) as client:
            again = await client.book(order, key=key)
            looked_up = await client.get(f"/api/booking/{first.body['booking_id']}")
    assert first.status == 201
    assert (again.status, again.body) == (201, first.body)
    assert looked_up.body == first.body
    assert len(bookings_on(service, order)) == 1
