"""Fifty customers want one slot: the database lets exactly its capacity through."""

import asyncio
from collections import Counter

import pytest

pytestmark = pytest.mark.anyio

EAGER = 50


def rows_of_slot(service, order):
    return service.query(
        "SELECT seat FROM bookings WHERE dealer_code = '{dealer_code}' AND appointment_date = "
        "'{appointment_date}' AND appointment_time = '{appointment_time}' ORDER BY seat".format(
            **order
        )
    )


@pytest.mark.parametrize(
    ("service_type", "capacity"), [("regular", 5), ("express", 3), ("body_repair", 5)]
)
async def test_fifty_concurrent_bookings_fill_a_slot_exactly(
    service, client, order, service_type, capacity
):
    order |= {"service_type": service_type}
    answers = await asyncio.gather(*(client.book(order) for _ in range(EAGER)))
    assert Counter(answer.status for answer in answers) == {
        201: capacity,
        409: EAGER - capacity,
    }
    refused = next(answer for answer in answers if answer.status == 409)
    assert refused.body["code"] == "slot_full"
    assert "get_available_slots" in refused.body["detail"]
    booked = {answer.body["booking_id"] for answer in answers if answer.status == 201}
    assert len(booked) == capacity
    assert rows_of_slot(service, order) == [(seat,) for seat in range(1, capacity + 1)]


async def test_regular_and_body_repair_share_the_workshop_seats(client, order):
    for service_type in ("regular", "body_repair", "regular", "body_repair", "regular"):
        assert (await client.book(order | {"service_type": service_type})).status == 201
    assert (await client.book(order | {"service_type": "body_repair"})).status == 409
    assert (await client.book(order | {"service_type": "express"})).status == 201


async def test_two_processes_on_one_database_share_the_capacity(service, client, connected, order):
    with type(service)(service.database_url).running() as sibling:
        async with connected(sibling) as other:
            answers = await asyncio.gather(
                *((client if turn % 2 else other).book(order) for turn in range(24))
            )
    assert Counter(answer.status for answer in answers) == {201: 5, 409: 19}
    assert len(rows_of_slot(service, order)) == 5


@pytest.mark.parametrize("seat", ["6", "0", "NULL"])
async def test_the_database_itself_refuses_a_seat_that_does_not_exist(service, client, order, seat):
    created = await client.book(order)
    with pytest.raises(Exception, match=r"(?i)check|constraint"):
        service.query(
            f"UPDATE bookings SET seat = {seat} "
            f"WHERE booking_id = '{created.body['booking_id']}' RETURNING seat"
        )


async def test_the_database_itself_refuses_a_seat_that_is_taken(service, client, order):
    await client.book(order)
    second = await client.book(order)
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        service.query(
            f"UPDATE bookings SET seat = 1 WHERE booking_id = '{second.body['booking_id']}' "
            "RETURNING seat"
        )
