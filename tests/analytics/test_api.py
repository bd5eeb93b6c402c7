"""What administrators see of calls that were really made."""

import pytest

from running import Product

pytestmark = pytest.mark.anyio
CAR = {"registration_number": "MH12AB1234"}


@pytest.fixture(scope="module")
async def busy(shared_product: Product) -> Product:
    """Two that succeed, one that fails, one refused, one that asks a person."""
    for _ in range(2):
        assert (await shared_product.call("resolve_vehicle", CAR)).status == 200
    missing = {"registration_number": "MH99ZZ9999"}
    assert (await shared_product.call("resolve_vehicle", missing)).status >= 400
    assert (await shared_product.call("resolve_vehicle", {"plate": 1})).status == 422
    order = {
        "customer_mobile": "9876543210",
        "vehicle_registration": "MH12AB1234",
        "dealer_code": "MSIL-PUNE-001",
        "appointment_date": "2030-01-01",
        "appointment_time": "10:00",
        "service_type": "regular",
    }
    assert (await shared_product.call("create_service_booking", order)).status == 202
    return shared_product


async def test_the_overview_tells_what_was_called(busy: Product) -> None:
    reply = await busy.request("GET", "/api/analytics", role="operator")
    assert reply.status == 200
    found = reply.json
    totals = found["totals"]
    assert (totals["calls"], totals["succeeded"], totals["failed"]) == (5, 2, 1)
    assert (totals["denied"], totals["needs_confirmation"]) == (1, 1)
    assert totals["success_rate"] == pytest.approx(2 / 3)
    assert 0 < totals["p50_ms"] <= totals["p95_ms"] <= totals["p99_ms"]
    assert sum(point["calls"] for point in found["series"]) == 5
    assert 90 <= len(found["series"]) <= 98
    assert found["bucket_seconds"] == 900
    assert [(line["tool"], line["calls"]) for line in found["top_tools"]] == [
        ("resolve_vehicle", 4),
        ("create_service_booking", 1),
    ]
    assert found["top_tools"][0]["title"]
    [caller] = found["callers"]
    assert (caller["name"], caller["kind"], caller["calls"]) == ("test user", "key", 5)
    assert found["origins"] == [{"origin": "rest", "calls": 5}]
    [error] = found["errors"]
    assert (error["outcome"], error["calls"]) == ("failed", 1)
    [refusal] = found["refusals"]
    assert (refusal["rule"], refusal["calls"]) == ("validate", 1)
    assert refusal["title"][0].isupper()
    assert found["approvals_pending"] == 1


async def test_one_tool_has_a_page_of_its_own(busy: Product) -> None:
    path = "/api/analytics/tools/resolve_vehicle"
    found = (await busy.request("GET", path, role="integrator")).json
    assert found["totals"]["calls"] == 4
    assert found["bucket_seconds"] == 3600
    assert sum(point["succeeded"] for point in found["series"]) == 2
    assert found["refusals"][0]["rule"] == "validate"
    assert found["last_called_at"] is not None
    nobody = (await busy.request("GET", "/api/analytics/tools/nobody", role="integrator")).json
    assert (nobody["totals"]["calls"], nobody["last_called_at"]) == (0, None)


async def test_a_tools_calls_come_newest_first_in_pages(busy: Product) -> None:
    path = "/api/analytics/tools/resolve_vehicle/calls"
    first = (await busy.request("GET", f"{path}?limit=3", role="integrator")).json
    rest = (
        await busy.request("GET", f"{path}?cursor={first['next_cursor']}", role="integrator")
    ).json
    assert [call["outcome"] for call in first["items"]] == ["denied", "failed", "succeeded"]
    assert [call["outcome"] for call in rest["items"]] == ["succeeded"]
    assert "arguments" not in first["items"][0]
    failed = (await busy.request("GET", f"{path}?outcome=failed", role="integrator")).json
    assert len(failed["items"]) == 1


async def test_every_tool_that_was_called_is_listed(busy: Product) -> None:
    found = (await busy.request("GET", "/api/analytics/tools", role="auditor")).json
    assert {line["tool"]: line["calls"] for line in found["tools"]} == {
        "resolve_vehicle": 4,
        "create_service_booking": 1,
    }


@pytest.mark.parametrize(
    ("query", "points"),
    [("from=2026-01-02&to=2026-01-01", 0), ("from=2020-01-01", 0), ("from=now", 0)],
)
async def test_a_range_that_makes_no_sense_is_refused(
    busy: Product, query: str, points: int
) -> None:
    reply = await busy.request("GET", f"/api/analytics?{query}", role="operator")
    assert reply.status in {400, 422}


async def test_who_may_not_read_analytics_is_refused(busy: Product) -> None:
    for path in ("", "/tools", "/tools/resolve_vehicle", "/tools/resolve_vehicle/calls"):
        reply = await busy.request("GET", f"/api/analytics{path}")
        assert (reply.status, reply.json["code"]) == (403, "permission_denied")
