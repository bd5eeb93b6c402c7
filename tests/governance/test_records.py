"""Every call leaves one record and gets an answer, whatever it carries."""

import json
from typing import Any

import pytest

from governance.conftest import Desk
from running import Reply
from tools.documents import garage

MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
pytestmark = pytest.mark.anyio


async def call_with(desk: Desk, tool: str, body: str) -> Reply:
    headers = {"Content-Type": "application/json"}
    path = f"/api/tools/{tool}/call"
    return await desk.product.request("POST", path, data=body.encode(), headers=headers)


def recorded(desk: Desk, reply: Reply) -> list[Any]:
    return desk.product.query(
        "SELECT outcome, rule, error, arguments FROM audit_records WHERE correlation_id = :id",
        id=reply.headers["x-correlation-id"],
    )


@pytest.mark.parametrize("value", ["NaN", "-Infinity", r'"\ud800"'])
async def test_what_is_no_plain_json_is_refused_and_recorded(desk: Desk, value: str) -> None:
    desk.office.asked.clear()
    body = f'{{"arguments": {{"title": "Deed", "copies": {value}}}}}'
    reply = await call_with(desk, "file_paper", body)
    assert reply.status in {400, 422}, reply.body
    assert desk.office.asked == []
    if reply.json.get("error") != "invalid_json":
        [record] = recorded(desk, reply)
        assert (record.outcome, record.rule) == ("denied", "validate")


async def test_an_approval_id_that_cannot_be_one_is_unknown(desk: Desk) -> None:
    for strange in ("\x00", "x" * 5000, "\u0661"):
        body = json.dumps({"arguments": {"title": "Deed"}, "approval_id": strange})
        reply = await call_with(desk, "file_paper", body)
        assert (reply.status, reply.json["error"]) == (404, "unknown_approval"), reply.body
        assert len(recorded(desk, reply)) == 1
    for path in ("/api/approvals/%00", "/api/approvals/%00/decision"):
        verb = "POST" if path.endswith("decision") else "GET"
        sent = {"json": {"decision": "approve"}} if verb == "POST" else {}
        reply = await desk.product.request(verb, path, role="administrator", **sent)
        assert (reply.status, reply.json["code"]) == (404, "unknown_approval"), reply.body


async def test_a_key_that_cannot_be_stored_is_refused(desk: Desk) -> None:
    arguments = {"paper": "7"}
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "get_paper",
            "arguments": arguments,
            "_meta": {**MODERN, "msil/idempotencyKey": "a\x00b"},
        },
    }
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "get_paper",
    }
    reply = await desk.product.request("POST", "/mcp", json=body, headers=headers)
    assert "idempotency key" in json.dumps(reply.json), reply.body
    assert [record.outcome for record in recorded(desk, reply)] == ["denied"]


async def test_a_tool_one_may_not_see_looks_exactly_like_none(desk: Desk) -> None:
    await desk.bring(json.dumps(garage(get_lift={})).encode(), bundle="garage")
    hidden = await desk.product.call("get_lift", {"floor": 7})
    missing = await desk.product.call("no_lift", {"floor": 7})
    assert hidden.status == missing.status == 404
    assert hidden.headers["content-type"] == missing.headers["content-type"]
    assert hidden.json.keys() == missing.json.keys()
    shown = [
        reply.json["detail"].replace(name, "")
        for reply, name in ((hidden, "get_lift"), (missing, "no_lift"))
    ]
    assert shown[0] == shown[1]


async def test_a_read_began_before_it_ended(desk: Desk) -> None:
    desk.office.says({"title": "Deed"})
    reply = await desk.product.call("get_paper", {"paper": "7"})
    [row] = desk.product.query(
        "SELECT created_at, finished_at, duration_ms FROM tool_executions WHERE id = :id",
        id=reply.json["execution_id"],
    )
    assert str(row.created_at) < str(row.finished_at)
