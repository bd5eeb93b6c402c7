"""Bundles made and changed by hand."""

from typing import Any

import pytest

from running import Product, Reply
from tools.catalogues import bring, fetch
from tools.documents import garage

pytestmark = pytest.mark.anyio


async def send(product: Product, method: str, path: str = "", **body: Any) -> Reply:
    return await product.request(method, f"/api/bundles{path}", role="integrator", json=body)


async def made(product: Product, name: str, **body: Any) -> Any:
    reply = await send(product, "POST", name=name, title=name.title(), **body)
    assert reply.status == 201, reply.body
    return reply.json


PROMPT = {
    "name": "lift_it",
    "title": "Lift it",
    "template": "Lift my {thing}.",
    "arguments": [{"name": "thing", "examples": ["car"]}],
}


async def test_a_bundle_is_made_of_tools_that_are_there(shared_product: Product) -> None:
    done = await made(
        shared_product, "lookups", tools=["resolve_vehicle", "resolve_customer"], description="Two."
    )
    assert done["added"] == ["resolve_customer", "resolve_vehicle"]
    bundle = await fetch(shared_product, "/api/bundles/lookups")
    assert (bundle["tools"], bundle["published"]) == (done["added"], 2)
    assert bundle["tokens"] > 100
    assert bundle["exposures"] == []
    await shared_product.request(
        "POST",
        "/api/roles/exposures",
        role="administrator",
        json={"role": "auditor", "kind": "bundle", "target": "lookups"},
    )
    seen = await fetch(shared_product, "/api/tools", role="auditor")
    assert [line["name"] for line in seen["items"]] == done["added"]
    shown = await fetch(shared_product, "/api/bundles/lookups")
    assert [one["role"] for one in shown["exposures"]] == ["auditor"]


async def test_a_name_is_given_once_and_members_must_exist(shared_product: Product) -> None:
    await made(shared_product, "taken")
    again = await send(shared_product, "POST", name="taken", title="Taken")
    assert (again.status, again.json["code"]) == (409, "bundle_exists")
    nothing = await send(shared_product, "POST", name="hole", title="Hole", tools=["no_such"])
    assert (nothing.status, nothing.json["code"]) == (404, "no_such_tool")
    odd = await send(shared_product, "POST", name="Not a name", title="Odd")
    assert odd.status == 422
    names = {one["name"] for one in await fetch(shared_product, "/api/bundles")}
    assert "hole" not in names


async def test_what_it_holds_is_changed_and_imports_keep_that(shared_product: Product) -> None:
    document = {**garage(up={}, down={}), "info": {"title": "Hold", "version": "1"}}
    await bring(shared_product, document, "bundle=hold&publish=true")
    changed = await send(shared_product, "PATCH", "/hold", tools=["up", "resolve_vehicle"])
    assert (changed.json["added"], changed.json["removed"]) == (["resolve_vehicle"], ["down"])
    await bring(shared_product, document, "bundle=hold&publish=true")
    newer = {
        **garage(up={}, down={"summary": "Go down"}),
        "info": {"title": "Hold", "version": "2"},
    }
    await bring(shared_product, newer, "bundle=hold&publish=true")
    assert (await fetch(shared_product, "/api/bundles/hold"))["tools"] == ["resolve_vehicle", "up"]
    listed = await fetch(shared_product, "/api/tools?bundle=hold")
    assert listed["total"] == 2
    back = await send(shared_product, "PATCH", "/hold", tools=["up", "down"])
    assert (back.json["added"], back.json["removed"]) == (["down"], ["resolve_vehicle"])


async def test_prompts_of_its_own_take_the_place_of_the_documents(
    shared_product: Product,
) -> None:
    before = await fetch(shared_product, "/api/bundles/service_booking")
    assert (before["prompts_edited"], len(before["prompts"])) == (False, 3)
    edited = await send(shared_product, "PATCH", "/service_booking", prompts=[PROMPT])
    assert edited.json["bundle"]["prompts_edited"] is True
    suggested = await fetch(shared_product, "/api/chat/suggestions", role="user")
    assert [one["example"] for one in suggested] == ["Lift my car."]
    none = await send(shared_product, "PATCH", "/service_booking", prompts=[])
    assert none.json["bundle"]["prompts"] == []
    back = await send(shared_product, "PATCH", "/service_booking", prompts=None)
    assert (back.json["bundle"]["prompts_edited"], len(back.json["bundle"]["prompts"])) == (
        False,
        3,
    )


@pytest.mark.parametrize(
    "wrong", [{"name": "no spaces"}, {"arguments": []}, {"template": "Nothing to fill in."}]
)
async def test_a_prompt_that_cannot_be_used_is_refused(
    shared_product: Product, wrong: dict[str, Any]
) -> None:
    reply = await send(shared_product, "PATCH", "/service_booking", prompts=[PROMPT | wrong])
    assert (reply.status, reply.json["code"]) == (422, "bad_prompt")
    assert "/prompts/0" in reply.json["detail"]


async def test_title_and_description_are_changed_alone(shared_product: Product) -> None:
    await made(shared_product, "renamed", tools=["resolve_vehicle"])
    changed = await send(shared_product, "PATCH", "/renamed", title="New", description="Better")
    bundle = changed.json["bundle"]
    assert (bundle["title"], bundle["description"]) == ("New", "Better")
    assert bundle["tools"] == ["resolve_vehicle"]
    details = shared_product.query(
        "SELECT details FROM audit_records WHERE action = 'bundle.changed' AND target = 'renamed'"
    )
    assert len(details) == 1


async def test_a_deleted_bundle_leaves_its_tools_and_no_grant(shared_product: Product) -> None:
    document = {**garage(alone={}), "info": {"title": "Alone", "version": "1"}}
    await bring(shared_product, document, "bundle=gone&publish=true")
    await send(shared_product, "PATCH", "/gone", tools=["alone", "resolve_vehicle"])
    grant = {"role": "auditor", "kind": "bundle", "target": "gone"}
    await shared_product.request("POST", "/api/roles/exposures", role="administrator", json=grant)
    deleted = await send(shared_product, "DELETE", "/gone?tools=withdraw")
    assert deleted.json == {"tools_without_bundle": 1, "withdrawn": 1}
    assert (await send(shared_product, "GET", "/gone")).status == 404
    assert (await fetch(shared_product, "/api/tools/alone"))["state"] == "draft"
    assert (await fetch(shared_product, "/api/tools/resolve_vehicle"))["state"] == "published"
    # Whoever saw the first one does not see another of the same name.
    await made(shared_product, "gone", tools=["get_nearby_dealers"])
    exposures = await fetch(shared_product, "/api/roles/exposures")
    assert "gone" not in {one["target"] for one in exposures["items"]}


async def test_bundles_are_changed_by_those_who_may_change_tools(shared_product: Product) -> None:
    for method, path in (
        ("POST", ""),
        ("PATCH", "/service_booking"),
        ("DELETE", "/service_booking"),
    ):
        reply = await shared_product.request(method, f"/api/bundles{path}", json={})
        assert (reply.status, reply.json["permission"]) == (403, "tools:write")
    assert (await shared_product.request("GET", "/api/bundles/service_booking")).status == 403
