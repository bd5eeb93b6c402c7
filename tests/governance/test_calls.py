"""One call through the whole chain, by REST: the answer, the rows and the metrics."""

import asyncio
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from booking_api.schedule import india_now, next_open_day
from running import Product

pytestmark = pytest.mark.anyio


def open_days() -> Iterator[date]:
    day = india_now().date()
    while True:
        day = next_open_day(day)
        yield day


_days = open_days()


def order(**changes: str) -> dict[str, Any]:
    """A booking on a day no other test takes."""
    day = next(_days)
    return {
        "customer_mobile": "9876543210",
        "vehicle_registration": "MH12AB1234",
        "dealer_code": "MSIL-PUNE-001",
        "appointment_date": day.isoformat(),
        "appointment_time": "10:00",
        "service_type": "regular",
    } | changes


async def approved(product: Product, arguments: dict[str, Any], *, key: str | None = None) -> str:
    """Ask for a write and have an administrator agree; returns the approval's id."""
    asked = await product.call("create_service_booking", arguments, key=key)
    assert asked.status == 202, asked.body
    approval = asked.json["confirmation"]["approval_id"]
    # An id that began with a dash would be an option to `msil-mcp approvals approve`.
    assert approval.startswith("ap_")
    path = f"/api/approvals/{approval}/decision"
    answer = await product.request("POST", path, role="administrator", json={"decision": "approve"})
    assert answer.status == 200, answer.body
    return approval


async def test_a_read_is_answered_recorded_and_counted(shared_product: Product) -> None:
    reply = await shared_product.call("resolve_vehicle", {"registration_number": "MH12AB1234"})
    assert reply.status == 200
    assert reply.json["structured"]["model"] == "Swift"
    execution = reply.json["execution_id"]
    [row] = shared_product.query(
        "SELECT state, tool_name, principal_id FROM tool_executions WHERE id = :id", id=execution
    )
    assert (row.state, row.tool_name) == ("succeeded", "resolve_vehicle")
    [record] = shared_product.query(
        "SELECT outcome, tool, correlation_id FROM audit_records WHERE execution_id = :id",
        id=execution,
    )
    assert record.correlation_id == reply.headers["x-correlation-id"]
    metrics = await shared_product.request("GET", "/metrics", role=None)
    assert b'mcp_tool_calls_total{status="success",tool_name="resolve_vehicle"}' in metrics.body


async def test_the_audit_keeps_no_mobile_number(shared_product: Product) -> None:
    reply = await shared_product.call("resolve_customer", {"mobile": "+91 98765 43210"})
    assert reply.status == 200
    [record] = shared_product.query(
        "SELECT arguments, result FROM audit_records WHERE execution_id = :id",
        id=reply.json["execution_id"],
    )
    assert "43210" not in record.arguments
    assert "9876543210" not in record.result


async def test_wrong_arguments_are_named_and_nothing_is_sent(shared_product: Product) -> None:
    reply = await shared_product.call("resolve_vehicle", {"plate": "MH12AB1234"})
    assert reply.status == 422
    assert "registration_number" in reply.json["text"]
    assert reply.json["upstream_status"] is None


async def test_a_tool_nobody_exposed_looks_like_none(shared_product: Product) -> None:
    hidden = await shared_product.call("resolve_vehicle", {}, role="auditor")
    assert hidden.status == 404
    hidden = await shared_product.call(
        "resolve_vehicle", {"registration_number": "MH12AB1234"}, role="integrator"
    )
    missing = await shared_product.call("no_such_tool", {}, role="integrator")
    assert missing.status == 404
    assert hidden.status in {200, 404}


async def test_an_upstream_refusal_is_passed_on_with_its_reason(shared_product: Product) -> None:
    reply = await shared_product.call("resolve_vehicle", {"registration_number": "MH01ZZ9999"})
    assert reply.json["outcome"] == "failed"
    assert reply.json["upstream_status"] == 404


async def test_a_write_waits_for_a_person_and_happens_once(shared_product: Product) -> None:
    arguments = order()
    approval = await approved(shared_product, arguments, key="booking-1")
    first = await shared_product.call("create_service_booking", arguments, key="booking-1")
    assert first.status == 200, first.body
    booking = first.json["structured"]["booking_id"]
    assert booking.startswith("BK")
    again = await shared_product.call("create_service_booking", arguments, key="booking-1")
    assert again.json["replayed"] is True
    assert again.json["structured"]["booking_id"] == booking
    [row] = shared_product.query(
        "SELECT state, execution_id FROM approvals WHERE id = :i", i=approval
    )
    assert (row.state, row.execution_id) == ("consumed", first.json["execution_id"])
    found = shared_product.query("SELECT sequence FROM audit_subjects WHERE value = :v", v=booking)
    assert len(found) == 2


async def test_a_key_used_for_something_else_is_refused(shared_product: Product) -> None:
    arguments = order()
    await approved(shared_product, arguments, key="booking-2")
    assert (
        await shared_product.call("create_service_booking", arguments, key="booking-2")
    ).status == 200
    other = await shared_product.call("create_service_booking", order(), key="booking-2")
    assert (other.status, other.json["error"]) == (422, "idempotency_key_reused")


async def test_an_approval_fits_only_what_was_asked(shared_product: Product) -> None:
    approval = await approved(shared_product, order())
    other = await shared_product.call("create_service_booking", order(), approval=approval)
    assert (other.status, other.json["error"]) == (409, "approval_mismatch")
    stranger = await shared_product.call(
        "create_service_booking", order(), approval=approval, role="administrator"
    )
    assert stranger.json["error"] == "approval_mismatch"


async def test_an_approval_raced_fifty_ways_books_once(shared_product: Product) -> None:
    arguments = order()
    approval = await approved(shared_product, arguments)
    replies = await asyncio.gather(
        *(
            shared_product.call("create_service_booking", arguments, approval=approval)
            for _ in range(50)
        )
    )
    done = {r.json["structured"]["booking_id"] for r in replies if r.status == 200}
    assert len(done) == 1
    assert {r.status for r in replies} <= {200, 409}
    rows = shared_product.query("SELECT id FROM tool_executions WHERE approval_id = :a", a=approval)
    assert len(rows) == 1


async def test_a_key_cannot_approve_its_own_call(shared_product: Product) -> None:
    asked = await shared_product.call("create_service_booking", order(), role="administrator")
    approval = asked.json["confirmation"]["approval_id"]
    path = f"/api/approvals/{approval}/decision"
    answer = await shared_product.request(
        "POST", path, role="administrator", json={"decision": "approve"}
    )
    assert (answer.status, answer.json["code"]) == (403, "self_approval")


async def test_a_declined_call_says_so_and_is_not_done(shared_product: Product) -> None:
    arguments = order()
    asked = await shared_product.call("create_service_booking", arguments)
    confirmation = asked.json["confirmation"]
    assert "9876543210" not in str(confirmation)
    path = f"/api/approvals/{confirmation['approval_id']}/decision"
    body = {"decision": "decline", "reason": "wrong day"}
    await shared_product.request("POST", path, role="administrator", json=body)
    reply = await shared_product.call(
        "create_service_booking", arguments, approval=confirmation["approval_id"]
    )
    assert (reply.status, reply.json["error"]) == (403, "approval_declined")
    assert "wrong day" in reply.json["text"]


async def test_a_tool_switched_off_is_gone_within_a_second(shared_product: Product) -> None:
    await shared_product.request(
        "PATCH", "/api/tools/get_nearby_dealers", role="administrator", json={"enabled": False}
    )
    off = await shared_product.call("get_nearby_dealers", {"city": "Pune"})
    await shared_product.request(
        "PATCH", "/api/tools/get_nearby_dealers", role="administrator", json={"enabled": True}
    )
    on = await shared_product.call("get_nearby_dealers", {"city": "Pune"})
    assert (off.status, on.status) == (404, 200)
