"""One tool over REST: its story, what people edit of it, its versions, and who sees it."""

import json
from typing import Any

import pytest

from running import Product, Reply
from tools.catalogues import bring, fetch
from tools.documents import garage, operation

pytestmark = pytest.mark.anyio


async def edit(product: Product, name: str, query: str = "", **fields: Any) -> Reply:
    path = f"/api/tools/{name}{query}"
    return await product.request("PATCH", path, role="administrator", json=fields)


def audited(product: Product, action: str) -> list[Any]:
    query = "SELECT target, details FROM audit_records WHERE action = :action ORDER BY id"
    return product.query(query, action=action)


async def test_a_tool_tells_its_whole_story(shared_product: Product) -> None:
    tool = await fetch(shared_product, "/api/tools/create_service_booking")
    assert (tool["risk"], tool["needs_confirmation"]) == ("write", True)
    assert tool["route"]["method"] == "POST"
    assert tool["route"]["base_url"] == shared_product.booking_url
    assert tool["route"]["body"]["media_type"] == "application/json"
    assert "customer_mobile" in [field["argument"] for field in tool["route"]["body"]["fields"]]
    assert {"where": "input", "path": "/customer_mobile", "kind": "mobile"} in tool["personal"]
    assert tool["edits"] is None


async def test_what_the_model_sees_is_shown_exactly(shared_product: Product) -> None:
    tool = await fetch(shared_product, "/api/tools/resolve_vehicle")
    listed = await shared_product.request(
        "POST",
        "/mcp",
        headers={
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/list",
        },
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/list",
            "params": {
                "_meta": {
                    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                    "io.modelcontextprotocol/clientCapabilities": {},
                    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                }
            },
        },
    )
    assert listed.status == 200, listed.body
    shown = {one["name"]: one for one in listed.json["result"]["tools"]}
    assert tool["model_view"] == shown["resolve_vehicle"]
    size = len(json.dumps(tool["model_view"], separators=(",", ":")).encode()) / 4
    assert tool["tokens"] == pytest.approx(size, abs=2)


async def test_a_caller_learns_nothing_of_documents_and_edits(shared_product: Product) -> None:
    tool = await fetch(shared_product, "/api/tools/resolve_vehicle", role="user")
    assert (tool["spec"], tool["edits"], tool["edited"]) == (None, None, None)
    for path in ("/versions", "/visibility", "/versions/1/differences"):
        reply = await shared_product.request("GET", f"/api/tools/resolve_vehicle{path}")
        assert reply.status == 403
    assert (await shared_product.request("PATCH", "/api/tools/x", json={})).status == 403


async def test_an_edit_makes_a_draft_that_is_put_in_force_when_somebody_says_so(
    shared_product: Product,
) -> None:
    await bring(shared_product, garage(wash_car={}), "bundle=service_booking&publish=true&spec=w")
    looked = (await edit(shared_product, "wash_car", "?dry_run=true", title="Wash")).json
    assert (looked["changed"], looked["dry_run"], looked["tool"]["title"]) == (True, True, "Wash")
    assert [one["pointer"] for one in looked["differences"]] == ["/title"]
    assert (await fetch(shared_product, "/api/tools/wash_car"))["title"] == "Wash car"

    done = (await edit(shared_product, "wash_car", title="Wash", description="Wet.")).json
    assert (done["tool"]["version"], done["tool"]["published_version"]) == (2, 1)
    assert done["tool"]["edits"]["imported"]["title"] == "Wash car"
    seen = await fetch(shared_product, "/api/tools/wash_car", role="user")
    assert seen["title"] == "Wash car"
    await edit(shared_product, "wash_car", description="Wet and clean.", publish=True)
    seen = await fetch(shared_product, "/api/tools/wash_car", role="user")
    assert (seen["title"], seen["description"], seen["version"]) == ("Wash", "Wet and clean.", 3)
    assert audited(shared_product, "tool.edited")[-1].target == "wash_car"


async def test_an_edit_survives_an_import_and_can_be_taken_back(shared_product: Product) -> None:
    await bring(shared_product, garage(rust_car={}), "bundle=rust&publish=true")
    await edit(shared_product, "rust_car", title="Rust", publish=True)
    again = (await bring(shared_product, garage(rust_car={}), "bundle=rust&publish=true")).json
    assert {tool["name"]: tool["change"] for tool in again["tools"]}["rust_car"] == "unchanged"
    newer = garage(rust_car={"summary": "Rust a car slowly"})
    await bring(shared_product, newer, "bundle=rust&publish=true")
    tool = await fetch(shared_product, "/api/tools/rust_car")
    assert (tool["title"], tool["description"]) == ("Rust", "Rust a car slowly")
    back = (await edit(shared_product, "rust_car", title=None, publish=True)).json["tool"]
    assert (back["title"], back["edits"], back["edited"]) == ("Rust a car slowly", None, False)


async def test_risk_and_confirmation_are_what_a_person_says(shared_product: Product) -> None:
    await bring(shared_product, garage(ring_bell={}), "bundle=service_booking&publish=true")
    asked = await edit(shared_product, "ring_bell", confirmation="required", publish=True)
    assert asked.json["tool"]["needs_confirmation"] is True
    assert asked.json["differences"][0]["impact"] == "behaviour"
    reply = await shared_product.call("ring_bell", {})
    assert (reply.status, reply.json["outcome"]) == (202, "needs_confirmation")
    approval = reply.json["confirmation"]["approval_id"]
    await shared_product.request(
        "POST",
        f"/api/approvals/{approval}/decision",
        role="administrator",
        json={"decision": "approve"},
    )
    # Nobody listens behind the garage, so the approved call goes out and fails.
    gone = await shared_product.call("ring_bell", {}, approval=approval)
    assert gone.json["outcome"] == "failed"
    used = await shared_product.call("ring_bell", {}, approval=approval, key="another")
    assert used.json["error"] == "approval_not_open"

    risky = await edit(
        shared_product, "ring_bell", risk="write", confirmation="waived", publish=True
    )
    annotations = risky.json["tool"]["model_view"]["annotations"]
    assert (annotations["readOnlyHint"], annotations["destructiveHint"]) == (False, True)
    assert (await shared_product.call("ring_bell", {})).json["outcome"] == "failed"
    rows = shared_product.query(
        "SELECT approval_id FROM tool_executions WHERE tool_name = 'ring_bell' ORDER BY id DESC"
    )
    assert rows[0].approval_id is None
    plain = await edit(shared_product, "ring_bell", risk=None, confirmation=None, publish=True)
    assert plain.json["tool"]["needs_confirmation"] is False


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({}, 400, "nothing_to_change"),
        ({"publish": True}, 400, "nothing_to_change"),
        ({"risk": "harmless"}, 422, "unprocessable"),
        ({"title": ""}, 422, "unprocessable"),
        ({"colour": "red"}, 422, "unprocessable"),
    ],
)
async def test_a_change_that_says_nothing_is_refused(
    shared_product: Product, fields: dict[str, Any], status: int, code: str
) -> None:
    reply = await edit(shared_product, "resolve_vehicle", **fields)
    assert (reply.status, reply.json["code"]) == (status, code)


async def test_versions_say_what_changed_and_any_can_be_put_in_force(
    shared_product: Product,
) -> None:
    first = garage(lift_car={})
    wanted = operation("lift_car")["parameters"]
    must = [{"name": "height", "in": "query", "required": True, "schema": {"type": "number"}}]
    second = garage(lift_car={"parameters": wanted + must, "summary": "Lift a car"})
    for document in (first, second):
        await bring(shared_product, document, "bundle=service_booking&publish=true")
    path = "/api/tools/lift_car"
    newest = await fetch(shared_product, f"{path}/versions?limit=1")
    older = await fetch(shared_product, f"{path}/versions?cursor={newest['next_cursor']}")
    assert [line["number"] for line in newest["items"] + older["items"]] == [2, 1]
    assert [line["published"] for line in newest["items"] + older["items"]] == [True, False]
    found = await fetch(shared_product, f"{path}/versions/2/differences")
    impacts = {one["pointer"]: one["impact"] for one in found["differences"]}
    assert found["since"] == 1
    assert impacts["/input_schema/properties/height"] == "compatible"
    assert impacts["/input_schema/required/height"] == "breaking"
    assert impacts["/title"] == "wording"
    assert (await fetch(shared_product, f"{path}/versions/1/differences"))["since"] is None

    back = await shared_product.request(
        "PUT", f"{path}/published", role="integrator", json={"version": 1}
    )
    assert back.json == {"changed": 1}
    assert (await fetch(shared_product, path, role="user"))["version"] == 1
    out = await shared_product.request(
        "PUT", f"{path}/published", role="integrator", json={"version": None}
    )
    assert out.status == 200
    assert (await shared_product.request("GET", path)).status == 404
    none = await shared_product.request(
        "PUT", f"{path}/published", role="integrator", json={"version": 9}
    )
    assert (none.status, none.json["code"]) == (404, "no_such_version")


async def test_who_sees_a_tool_is_told_with_the_reason(shared_product: Product) -> None:
    path = "/api/tools/resolve_vehicle/visibility"
    seen = {role["role"]: role for role in (await fetch(shared_product, path))["roles"]}
    assert [grant["kind"] for grant in seen["administrator"]["grants"]] == ["all"]
    assert seen["user"]["grants"][0]["target"] == "service_booking"
    assert (seen["auditor"]["visible"], seen["auditor"]["grants"]) == (False, [])

    keys = (await fetch(shared_product, "/api/keys"))["items"]
    ids = {key["name"]: key["id"] for key in keys}
    user = await fetch(shared_product, f"{path}/keys/{ids['test user']}")
    assert (user["visible"], user["reason"]) == (True, "granted")
    auditor = await fetch(shared_product, f"{path}/keys/{ids['test auditor']}")
    assert (auditor["visible"], auditor["reason"]) == (False, "no_grant")
    narrow = await shared_product.request(
        "POST",
        "/api/keys",
        role="administrator",
        json={"name": "narrow", "roles": ["user"], "scopes": ["tool:get_nearby_dealers"]},
    )
    assert narrow.status == 201, narrow.body
    held = await fetch(shared_product, f"{path}/keys/{narrow.json['key']['id']}")
    assert (held["visible"], held["reason"]) == (False, "outside_scopes")
    nobody = await shared_product.request("GET", f"{path}/users/99999", role="administrator")
    assert (nobody.status, nobody.json["code"]) == (404, "no_such_principal")
    closed = await shared_product.request("GET", f"{path}/keys/1", role="integrator")
    assert closed.status == 403


async def test_a_disabled_user_sees_nothing_any_more(shared_product: Product) -> None:
    made = await shared_product.request(
        "POST",
        "/api/users",
        role="administrator",
        json={"username": "asha", "display_name": "Asha", "roles": ["user"]},
    )
    assert made.status == 201, made.body
    number = made.json["user"]["id"]
    path = f"/api/tools/resolve_vehicle/visibility/users/{number}"
    assert (await fetch(shared_product, path))["reason"] == "granted"
    await shared_product.request(
        "PATCH", f"/api/users/{number}", role="administrator", json={"active": False}
    )
    assert (await fetch(shared_product, path))["reason"] == "inactive"
