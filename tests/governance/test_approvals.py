"""What people are shown before they agree, and what becomes of requests nobody answers."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import update

from databases import Templates, settings_for
from governance.conftest import Desk
from locking import on_postgresql
from msil_mcp.db.database import utc_now
from msil_mcp.governance.approvals import Approval, Approvals
from msil_mcp.governance.retention import expire_approvals
from msil_mcp.settings import Settings
from running import Product, product
from upstream.calls import call, tool

pytestmark = pytest.mark.anyio


async def test_an_approval_keeps_no_personal_data_in_its_url(desk: Desk) -> None:
    asked = await desk.product.call("greet_person", {"person": "Rahul Deshmukh"})
    assert asked.status == 202, asked.body
    shown = asked.json["confirmation"]
    assert "Rahul" not in str(shown["arguments"])
    assert "Rahul" not in shown["url"]
    assert "Deshmukh" not in shown["url"]
    assert shown["url"].startswith(f"{desk.url}/people/")
    [row] = desk.product.query("SELECT url FROM approvals WHERE id = :i", i=shown["approval_id"])
    assert "Rahul" not in row.url


async def test_either_of_two_equal_requests_can_be_answered(desk: Desk) -> None:
    desk.office.says({"filed": True})
    arguments = {"title": "Asked twice at once"}
    both = await asyncio.gather(*(desk.product.call("file_paper", arguments) for _ in range(2)))
    ids = sorted(
        {reply.json["confirmation"]["approval_id"] for reply in both},
        key=lambda i: str(created(desk, i)),
    )
    assert (await desk.decide(ids[0])).status == 200
    done = await desk.product.call("file_paper", arguments)
    assert done.status == 200, done.body


def created(desk: Desk, approval: str) -> Any:
    [row] = desk.product.query("SELECT created_at FROM approvals WHERE id = :i", i=approval)
    return row.created_at


@pytest.fixture(params=["sqlite", "postgresql"])
def hasty(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str
) -> Iterator[Product]:
    """Requests are void at once."""
    with templates.clone(request.param) as url:
        settings = settings_for(url, approval_ttl_seconds=0.001)
        with product(settings, booking_url=booking_url) as running:
            yield running


async def test_a_request_nobody_answered_in_time_is_expired(hasty: Product) -> None:
    arguments = {
        "customer_mobile": "9876543210",
        "vehicle_registration": "MH12AB1234",
        "dealer_code": "MSIL-PUNE-001",
        "appointment_date": "2030-01-15",
        "appointment_time": "10:00",
        "service_type": "regular",
    }
    asked = await hasty.call("create_service_booking", arguments)
    approval = asked.json["confirmation"]["approval_id"]
    shown = await hasty.request("GET", f"/api/approvals/{approval}")
    assert shown.json["state"] == "expired"
    listed = await hasty.request("GET", "/api/approvals?state=expired")
    assert [item["id"] for item in listed.json["items"]] == [approval]
    pending = await hasty.request("GET", "/api/approvals?state=pending")
    assert pending.json["items"] == []


async def test_the_inbox_is_read_page_by_page_without_a_gap(desk: Desk) -> None:
    for number in range(5):
        await desk.product.call("file_paper", {"title": f"Page {number}"})
    desk_rows = desk.product.query("SELECT id FROM approvals")
    seen: list[str] = []
    cursor = ""
    while True:
        more = f"&cursor={cursor}" if cursor else ""
        page = await desk.product.request("GET", f"/api/approvals?limit=2{more}")
        seen += [item["id"] for item in page.json["items"]]
        cursor = page.json.get("next_cursor")
        if not cursor:
            break
    assert sorted(seen) == sorted(row.id for row in desk_rows)


@pytest.mark.parametrize("key", ['["2026-01-01T00:00:00"]', '["2026-01-01T00:00:00","x"]'])
async def test_a_forged_cursor_is_refused(desk: Desk, key: str) -> None:
    import base64

    cursor = base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
    reply = await desk.product.request("GET", f"/api/approvals?cursor={cursor}")
    assert (reply.status, reply.json["code"]) == (400, "bad_cursor")


async def test_expiring_waits_for_nobody_who_just_decides(templates: Templates) -> None:
    async with on_postgresql(templates) as database:
        store = Approvals(database=database, settings=Settings(_env_file=None))
        write = call(tool("http://127.0.0.1:9", write=True))
        asked = [await store.ask(write) for _ in range(2)]
        async with database.unit_of_work() as session:
            await session.execute(update(Approval).values(expires_at=utc_now()))
        async with database.sessions() as deciding, asyncio.timeout(10):
            await deciding.get(Approval, asked[0].id, with_for_update=True)
            assert await expire_approvals(database, on_event=lambda _: None) == 1
        assert await expire_approvals(database, on_event=lambda _: None) == 1
