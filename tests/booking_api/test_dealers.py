"""get_nearby_dealers, over HTTP on both databases."""

import pytest

pytestmark = pytest.mark.anyio

NEARBY = "/api/dealers/nearby"


def codes(answer):
    return [dealer["dealer_code"] for dealer in answer.body["dealers"]]


async def test_dealers_are_sorted_by_distance_from_the_area(client):
    answer = await client.post(NEARBY, {"city": "Pune", "area": "Hinjewadi"})
    assert answer.status == 200
    assert answer.body["total"] == 4
    assert codes(answer) == ["MSIL-PUNE-001", "MSIL-PUNE-004", "MSIL-PUNE-002", "MSIL-PUNE-003"]
    distances = [dealer["distance_km"] for dealer in answer.body["dealers"]]
    assert distances == sorted(distances)
    assert distances[0] < 1
    assert 20 < distances[-1] < 23  # Hinjewadi to Kharadi, as the crow flies


async def test_dealer_answer_has_everything_a_customer_asks_about(client):
    answer = await client.post(NEARBY, {"city": "Pune", "area": "Baner"})
    nearest = answer.body["dealers"][0]
    assert nearest == {
        "dealer_code": "MSIL-PUNE-002",
        "name": "MSIL Service Baner",
        "address": "Survey 48, Baner Road, Baner, Pune 411045",
        "city": "Pune",
        "area": "Baner",
        "distance_km": nearest["distance_km"],
        "rating": 4.7,
        "phone": "+91 20 5550 1002",
        "services": ["regular", "express"],
        "working_hours": "Mon-Sat 09:00-17:00, slots 09:00-12:00 and 14:00-17:00",
    }


async def test_without_an_area_distances_are_from_the_city_centre(client):
    answer = await client.post(NEARBY, {"city": "Pune"})
    assert answer.body["total"] == 4
    assert codes(answer)[0] == "MSIL-PUNE-002"


@pytest.mark.parametrize("area", [None, "", "  "])
async def test_an_empty_area_means_none(client, area):
    answer = await client.post(NEARBY, {"city": "Pune", "area": area})
    assert codes(answer) == codes(await client.post(NEARBY, {"city": "Pune"}))


@pytest.mark.parametrize("area", ["hinjawadi", "Hinjewadi Phase 2", "HINJEWADI, Pune"])
async def test_area_is_found_under_its_other_spellings(client, area):
    answer = await client.post(NEARBY, {"city": "pune", "area": area})
    assert codes(answer)[0] == "MSIL-PUNE-001"


@pytest.mark.parametrize(
    ("city", "code", "rating"),
    [
        ("Mumbai", "MSIL-MUM-001", 4.6),
        ("Bombay", "MSIL-MUM-001", 4.6),
        ("bengaluru", "MSIL-BLR-001", 4.5),
        ("Bangalore", "MSIL-BLR-001", 4.5),
        ("New Delhi", "MSIL-DEL-001", 4.4),
    ],
)
async def test_city_is_found_under_its_former_name(client, city, code, rating):
    answer = await client.post(NEARBY, {"city": city})
    assert codes(answer) == [code]
    assert answer.body["dealers"][0]["rating"] == rating


async def test_only_dealers_that_offer_the_service_are_listed(client):
    answer = await client.post(NEARBY, {"city": "Pune", "service_type": "body_repair"})
    assert set(codes(answer)) == {"MSIL-PUNE-001", "MSIL-PUNE-003"}
    assert answer.body["total"] == 2


async def test_a_city_where_nobody_offers_the_service_has_an_empty_list(client):
    answer = await client.post(NEARBY, {"city": "Delhi", "service_type": "body_repair"})
    assert (answer.status, answer.body) == (200, {"dealers": [], "total": 0})


async def test_a_city_without_dealers_is_a_404_that_lists_the_cities(client):
    answer = await client.post(NEARBY, {"city": "Atlantis"})
    assert answer.status == 404
    assert answer.body["code"] == "city_not_served"
    assert "Bengaluru, Delhi, Mumbai, Pune" in answer.body["detail"]


@pytest.mark.parametrize("area", ["Atlantis", "पुणे"])
async def test_an_area_that_is_not_on_the_map_is_a_404_that_lists_areas(client, area):
    answer = await client.post(NEARBY, {"city": "Pune", "area": area})
    assert answer.status == 404
    assert answer.body["code"] == "area_not_known"
    assert "Aundh, Baner, Hadapsar, Hinjewadi" in answer.body["detail"]


async def test_an_unknown_service_type_is_refused_with_the_known_ones(client):
    answer = await client.post(NEARBY, {"city": "Pune", "service_type": "wash"})
    assert answer.status == 422
    assert "'regular', 'express' or 'body_repair'" in answer.body["detail"]
