"""resolve_customer and resolve_vehicle, over HTTP on both databases."""

import pytest

pytestmark = pytest.mark.anyio

CUSTOMER = "/api/customer/resolve"
VEHICLE = "/api/vehicle/resolve"


@pytest.mark.parametrize(
    "written", ["9876543210", "+91 98765-43210", "91 9876543210", "09876543210", "98765 43210"]
)
async def test_customer_is_found_however_the_mobile_number_is_written(client, written):
    answer = await client.post(CUSTOMER, {"mobile": written})
    assert answer.status == 200
    assert answer.body == {
        "customer_id": "CUST-0001",
        "name": "Aarav Kulkarni",
        "mobile": "9876543210",
        "email": "aarav.kulkarni@example.com",
        "address": "Flat 402, Example Heights, Hinjewadi Phase 1, Pune 411057",
        "city": "Pune",
    }


@pytest.mark.parametrize("mobile", ["9876543210", "9876543211", "9876543212", "9123456789"])
async def test_every_promised_customer_is_seeded(client, mobile):
    answer = await client.post(CUSTOMER, {"mobile": mobile})
    assert answer.status == 200
    assert answer.body["mobile"] == mobile
    assert answer.body["email"].endswith("@example.com")


async def test_unknown_mobile_number_is_a_404_that_does_not_repeat_it(client):
    answer = await client.post(CUSTOMER, {"mobile": "6000000001"})
    assert answer.status == 404
    assert answer.body["code"] == "customer_not_found"
    assert "6000000001" not in str(answer.body)


@pytest.mark.parametrize("written", ["12345", "5876543210", "98765432101", "+1 9876543210", ""])
async def test_what_is_no_mobile_number_is_refused_with_an_example(client, written):
    answer = await client.post(CUSTOMER, {"mobile": written})
    assert answer.status == 422
    assert answer.body["errors"][0]["field"] == "mobile"
    assert "for example 9876543210" in answer.body["detail"]


@pytest.mark.parametrize(
    ("written", "plate", "model"),
    [
        ("MH12AB1234", "MH12AB1234", "Swift"),
        ("mh-12-cd-5678", "MH12CD5678", "Baleno"),
        ("MH 14 EF 9012", "MH14EF9012", "Brezza"),
        ("KA.01.MN.3456", "KA01MN3456", "Ertiga"),
        ("ka1mn3456", "KA01MN3456", "Ertiga"),
        ("DL 8C AB 7890", "DL8CAB7890", "Dzire"),
        ("DL08CAB7890", "DL8CAB7890", "Dzire"),
        ("26 BH 6517 AA", "26BH6517AA", "Fronx"),
    ],
)
async def test_vehicle_is_found_however_the_plate_is_written(client, written, plate, model):
    answer = await client.post(VEHICLE, {"registration_number": written})
    assert answer.status == 200
    assert (answer.body["registration_number"], answer.body["model"]) == (plate, model)


async def test_vehicle_answer_has_the_service_record(client):
    answer = await client.post(VEHICLE, {"registration_number": "MH12AB1234"})
    assert answer.body == {
        "vehicle_id": "VEH-0001",
        "registration_number": "MH12AB1234",
        "model": "Swift",
        "variant": "ZXI+",
        "color": "Pearl Arctic White",
        "year": 2023,
        "fuel_type": "PETROL",
        "last_service_date": "2026-05-18",
        "next_service_due": "2026-11-18",
        "odometer_reading": 28450,
    }


async def test_vehicle_that_was_never_serviced_says_null(client):
    answer = await client.post(VEHICLE, {"registration_number": "26BH6517AA"})
    assert answer.body["last_service_date"] is None


async def test_unknown_plate_is_a_404_that_names_the_cleaned_plate(client):
    answer = await client.post(VEHICLE, {"registration_number": "mh 12 zz 1"})
    assert answer.status == 404
    assert answer.body["code"] == "vehicle_not_found"
    assert "MH12ZZ0001" in answer.body["detail"]


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("SWIFT", "MH12AB1234"),
        ("ZZ12AB1234", "no state"),
        ("MH00AB1234", "zero"),
        ("MH12AB0000", "zero"),
        ("19BH1234AA", "2021"),
        ("22BH0000AA", "zero"),
    ],
)
async def test_what_is_no_plate_is_refused_with_the_reason(client, written, hint):
    answer = await client.post(VEHICLE, {"registration_number": written})
    assert answer.status == 422
    assert hint in answer.body["detail"]
