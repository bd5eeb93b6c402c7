"""The readable journey of the MCP door: six tools listed, called, confirmed and recorded."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import httpx2
import mcp_types as types
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client

from booking_api.schedule import india_now, next_open_day
from running import Booking, Product

pytestmark = pytest.mark.anyio

ERAS = ("legacy", "2026-07-28")
TOOLS = {
    "resolve_customer",
    "resolve_vehicle",
    "get_nearby_dealers",
    "get_available_slots",
    "create_service_booking",
    "get_booking_status",
}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    return request.param


class Person:
    """Sits at the client and answers what it is asked."""

    def __init__(self, *, agrees: bool = True) -> None:
        self.agrees = agrees
        self.asked: list[str] = []

    async def answer(self, _context: Any, params: Any) -> types.ElicitResult:
        self.asked.append(params.message)
        if not self.agrees:
            return types.ElicitResult(action="decline")
        return types.ElicitResult(action="accept", content={"confirm": True})


@asynccontextmanager
async def connected(
    product: Product, era: str, *, person: Person | None = None, bundle: str = ""
) -> AsyncIterator[Client]:
    url = f"{product.url}/mcp{bundle}"
    async with httpx2.AsyncClient(headers=product.headers(), timeout=30) as http:
        transport = streamable_http_client(url, http_client=http)
        answer = person.answer if person else None
        async with Client(transport, mode=era, elicitation_callback=answer) as client:
            yield client


def order(day_offset: int) -> dict[str, Any]:
    day = next_open_day(india_now().date() + timedelta(days=day_offset))
    return {
        "customer_mobile": "9876543210",
        "vehicle_registration": "MH12AB1234",
        "dealer_code": "MSIL-PUNE-002",
        "appointment_date": day.isoformat(),
        "appointment_time": "10:00",
        "service_type": "regular",
    }


async def test_the_six_tools_are_listed_with_their_schemas(
    shared_product: Product, era: str
) -> None:
    async with connected(shared_product, era) as client:
        listed = (await client.list_tools()).tools
    assert {tool.name for tool in listed} == TOOLS
    create = next(tool for tool in listed if tool.name == "create_service_booking")
    assert create.annotations is not None
    assert create.annotations.read_only_hint is False
    assert "customer_mobile" in create.input_schema["required"]


async def test_a_bundle_has_an_address_of_its_own(shared_product: Product, era: str) -> None:
    async with connected(shared_product, era, bundle="/service_booking") as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == TOOLS


async def test_a_booking_ends_as_one_row_one_record_a_call_and_metrics_that_add_up(
    shared_product: Product, booking: Booking, era: str
) -> None:
    before = await calls_counted(shared_product)
    recorded = shared_product.query("SELECT count(*) FROM audit_records WHERE kind = 'tool.call'")
    wanted, person = order(20 if era == "legacy" else 40), Person()
    async with connected(shared_product, era, person=person) as client:
        vehicle = await client.call_tool("resolve_vehicle", {"registration_number": "MH12AB1234"})
        assert vehicle.structured_content["model"] == "Swift"
        await client.call_tool("resolve_customer", {"mobile": "9876543210"})
        dealers = await client.call_tool("get_nearby_dealers", {"city": "Pune", "area": "Baner"})
        assert dealers.structured_content["dealers"][0]["dealer_code"] == wanted["dealer_code"]
        slots = {"dealer_code": wanted["dealer_code"], "date": wanted["appointment_date"]}
        free = await client.call_tool("get_available_slots", slots)
        assert any(slot["time"] == "10:00" for slot in free.structured_content["slots"])
        booked = await client.call_tool(
            "create_service_booking", wanted, meta={"msil/idempotencyKey": f"journey-{era}"}
        )
        assert booked.is_error is not True, booked.content
        booking_id = booked.structured_content["booking_id"]
        again = await client.call_tool(
            "create_service_booking", wanted, meta={"msil/idempotencyKey": f"journey-{era}"}
        )
        assert again.structured_content["booking_id"] == booking_id
        status = await client.call_tool("get_booking_status", {"booking_id": booking_id})
        assert status.structured_content["status"] == "CONFIRMED"
    assert len(booking.rows(booking_id)) == 1
    assert len(person.asked) == 1
    assert wanted["appointment_date"] in person.asked[0]
    assert "9876543210" not in person.asked[0]
    after = shared_product.query("SELECT count(*) FROM audit_records WHERE kind = 'tool.call'")
    # Seven calls were made; the first to book was asked about and then made, so it has two.
    assert after[0][0] - recorded[0][0] == 8
    counted = await calls_counted(shared_product)
    assert counted - before == 8


async def test_a_person_who_declines_is_obeyed(shared_product: Product, era: str) -> None:
    async with connected(shared_product, era, person=Person(agrees=False)) as client:
        result = await client.call_tool(
            "create_service_booking", order(21 if era == "legacy" else 41)
        )
    assert result.is_error
    assert "declined" in result.content[0].text


async def test_a_client_that_cannot_ask_is_told_where_a_person_approves(
    shared_product: Product, era: str
) -> None:
    wanted = order(22 if era == "legacy" else 42)
    async with connected(shared_product, era) as client:
        result = await client.call_tool("create_service_booking", wanted)
        assert result.is_error
        assert "/admin/approvals/" in result.content[0].text
        approval = result.content[0].text.split("/admin/approvals/")[1].split()[0].strip(".,)")
        await shared_product.request(
            "POST",
            f"/api/approvals/{approval}/decision",
            role="administrator",
            json={"decision": "approve"},
        )
        booked = await client.call_tool("create_service_booking", wanted)
        assert booked.structured_content["booking_id"].startswith("BK")


async def test_wrong_arguments_come_back_as_something_a_model_can_mend(
    shared_product: Product, era: str
) -> None:
    async with connected(shared_product, era) as client:
        result = await client.call_tool("get_nearby_dealers", {"town": "Pune"})
    assert result.is_error
    assert "city" in result.content[0].text


async def test_an_unknown_tool_is_a_protocol_error(shared_product: Product, era: str) -> None:
    async with connected(shared_product, era) as client:
        with pytest.raises(Exception, match="no_such_tool"):
            await client.call_tool("no_such_tool", {})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"jsonrpc": "2.0", "id": 1', -32700),
        (b"[]", -32600),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}', -32600),
        (b'{"jsonrpc": "2.0", "id": null, "method": "tools/list"}', -32600),
    ],
)
async def test_what_is_not_json_rpc_is_refused(
    shared_product: Product, body: bytes, code: int
) -> None:
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
    }
    reply = await shared_product.request("POST", "/mcp", data=body, headers=headers)
    assert (reply.status, reply.json["error"]["code"]) == (400, code)


async def test_without_a_credential_the_door_says_what_to_bring(shared_product: Product) -> None:
    reply = await shared_product.request("POST", "/mcp", role=None, json={})
    assert reply.status == 401
    assert "resource_metadata" in reply.headers["www-authenticate"]


async def test_health_and_readiness_answer(shared_product: Product) -> None:
    health = (await shared_product.request("GET", "/health", role=None)).json
    assert (health["status"], health["service"]) == ("healthy", "MSIL MCP Server")
    assert set(health["system"]) == {
        "cpu_percent",
        "memory_percent",
        "memory_available_mb",
        "disk_percent",
        "disk_free_gb",
    }
    ready = (await shared_product.request("GET", "/ready", role=None)).json
    assert ready["status"] == "ready"
    assert ready["checks"]["database"] == "healthy"


async def calls_counted(product: Product) -> float:
    """The sum of mcp_tool_calls_total over everything, as scraped."""
    text = (await product.request("GET", "/metrics", role=None)).body.decode()
    return sum(
        float(line.rsplit(" ", 1)[1])
        for line in text.splitlines()
        if line.startswith("mcp_tool_calls_total{")
    )
