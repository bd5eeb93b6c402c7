"""An import that is looked at first: read in the background, chosen from, then applied."""

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from running import Product, Reply, serving
from tools.catalogues import bring, fetch
from tools.documents import garage

pytestmark = pytest.mark.anyio
SPECS = Path(__file__).parents[3] / "shared" / "specs"


async def draft_of(
    product: Product, document: Any, query: str = "bundle=garage&allow_private=true"
) -> Any:
    """Bring a document and wait until it was read."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    path = f"/api/imports?{query}"
    made = await product.request("POST", path, role="integrator", data=io.BytesIO(raw))
    assert made.status == 202, made.body
    return await settled(product, made.json["id"])


async def settled(product: Product, draft_id: str) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        draft = await fetch(product, f"/api/imports/{draft_id}", role="integrator")
        if draft["state"] != "reading":
            return draft
        await anyio.sleep(0.02)
    raise AssertionError(f"still reading: {draft['progress']}")


async def apply(product: Product, draft: Any, **body: Any) -> Reply:
    path = f"/api/imports/{draft['id']}/apply"
    return await product.request("POST", path, role="integrator", json=body)


def series(title: str, **operations: dict[str, Any]) -> dict[str, Any]:
    document = garage(**operations)
    return {**document, "info": {"title": title, "version": "1"}}


def changes(draft: Any) -> dict[str, tuple[str, bool]]:
    return {
        one["operation_id"]: (one["change"], one["selected"]) for one in draft["plan"]["operations"]
    }


async def test_a_draft_shows_what_would_happen_and_stores_no_tool(shared_product: Product) -> None:
    document = series("Look", look_up={}, look_down={"summary": "Look down"})
    document["paths"]["/echo"] = {"trace": {"responses": {}}}
    draft = await draft_of(shared_product, document)
    plan = draft["plan"]
    assert (draft["state"], plan["spec"], plan["document"]) == ("ready", "look", 1)
    assert plan["counts"]["added"] == 2
    assert changes(draft) == {"look_up": ("added", True), "look_down": ("added", True)}
    assert plan["tokens"] == sum(one["tokens"] for one in plan["operations"]) > 40
    [rejected] = plan["rejected"]
    assert rejected["pointer"].startswith("/paths/")
    assert rejected["reason"]
    assert plan["bundles"] == ["garage"]
    assert (await fetch(shared_product, "/api/tools?q=look_up"))["total"] == 0


async def test_what_was_chosen_is_imported_and_put_in_force(shared_product: Product) -> None:
    draft = await draft_of(shared_product, series("Pick", pick_one={}, pick_two={}))
    done = await apply(shared_product, draft, select=["pick_one"], publish=True)
    assert done.status == 200, done.body
    assert {tool["name"]: tool["change"] for tool in done.json["tools"]} == {
        "pick_one": "added",
        "pick_two": "excluded",
    }
    lines = (await fetch(shared_product, "/api/tools?q=pick"))["items"]
    assert [(line["name"], line["state"]) for line in lines] == [("pick_one", "published")]
    again = await apply(shared_product, draft)
    assert (again.status, again.json["code"]) == (409, "draft_not_ready")


async def test_what_was_left_out_stays_out_until_somebody_wants_it(
    shared_product: Product,
) -> None:
    document = series("Stay", stay_in={}, stay_out={})
    first = await draft_of(shared_product, document)
    await apply(shared_product, first, select=["stay_in"])
    # Also by the way of whoever knows nothing of the choice.
    plain = await bring(shared_product, document, "bundle=garage")
    assert plain.json["changed"] is False
    newer = series("Stay", stay_in={"summary": "Stay in bed"}, stay_out={}, stay_new={})
    second = await draft_of(shared_product, newer)
    assert changes(second) == {
        "stay_in": ("changed", True),
        "stay_out": ("added", False),
        "stay_new": ("added", True),
    }
    [changed] = [one for one in second["plan"]["operations"] if one["change"] == "changed"]
    assert (changed["impact"], changed["differences"][0]["pointer"]) == ("wording", "/title")
    wanted = await apply(shared_product, second, select=["stay_out"])
    assert {tool["name"]: tool["change"] for tool in wanted.json["tools"]} == {
        "stay_in": "excluded",
        "stay_new": "excluded",
        "stay_out": "added",
    }
    assert (await fetch(shared_product, "/api/tools/stay_in"))["title"] == "Stay in"
    detail = await fetch(shared_product, "/api/specs/stay/documents/2")
    assert detail["excluded"] == ["stay_in", "stay_new"]


async def test_a_tool_the_document_lost_can_be_spared(shared_product: Product) -> None:
    await bring(shared_product, series("Lose", lose_me={}, keep_me={}), "bundle=garage")
    draft = await draft_of(shared_product, series("Lose", keep_me={}))
    assert changes(draft)["lose_me"] == ("removed", True)
    await apply(shared_product, draft, select=[])
    assert (await fetch(shared_product, "/api/tools/lose_me"))["state"] == "draft"
    gone = await draft_of(shared_product, series("Lose", keep_me={"summary": "Keep"}))
    assert changes(gone)["lose_me"] == ("removed", False)
    await apply(shared_product, gone, select=["lose_me", "keep_me"])
    assert (await fetch(shared_product, "/api/tools/lose_me"))["state"] == "removed"


async def test_a_plan_that_is_no_longer_true_is_not_applied(shared_product: Product) -> None:
    draft = await draft_of(shared_product, series("Race", race_a={}, race_b={}))
    await bring(shared_product, series("Race", race_a={}), "bundle=garage")
    late = await apply(shared_product, draft)
    assert (late.status, late.json["code"]) == (409, "draft_outdated")
    again = await shared_product.request(
        "PATCH", f"/api/imports/{draft['id']}", role="integrator", json={}
    )
    assert again.json["state"] == "reading"
    fresh = await settled(shared_product, draft["id"])
    assert changes(fresh)["race_a"] == ("unchanged", True)
    assert (await apply(shared_product, fresh)).status == 200


async def test_options_are_changed_without_sending_the_document_again(
    shared_product: Product,
) -> None:
    refused = await draft_of(shared_product, series("Option", option_a={}), "bundle=one")
    assert (refused["state"], refused["error"]["code"]) == ("failed", "private_upstream")
    changed = await shared_product.request(
        "PATCH",
        f"/api/imports/{refused['id']}",
        role="integrator",
        json={"allow_private": True, "bundle": "two", "base_url": "http://127.0.0.1:8"},
    )
    assert changed.status == 200, changed.body
    ready = await settled(shared_product, refused["id"])
    assert (ready["state"], ready["plan"]["bundles"]) == ("ready", ["two"])
    assert ready["plan"]["base_url"] == "http://127.0.0.1:8"


@pytest.mark.parametrize(
    ("document", "code", "said"),
    [
        (b"{", "document_error", "upload:1:"),
        (b'{"openapi": "9.0"}', "document_error", "9.0"),
        (json.dumps({**garage(), "paths": {}}).encode(), "bad_import", "no operation"),
    ],
)
async def test_what_cannot_be_imported_says_why(
    shared_product: Product, document: bytes, code: str, said: str
) -> None:
    draft = await draft_of(shared_product, document)
    assert draft["state"] == "failed"
    assert said in draft["error"]["detail"]
    refused = await apply(shared_product, draft)
    assert (refused.status, refused.json["code"]) == (409, "draft_not_ready")


async def test_a_selection_of_what_is_not_there_is_refused(shared_product: Product) -> None:
    draft = await draft_of(shared_product, series("Select", select_me={}))
    refused = await apply(shared_product, draft, select=["select_you"])
    assert (refused.status, refused.json["code"]) == (422, "unknown_operations")
    assert (await fetch(shared_product, "/api/tools?q=select_me"))["total"] == 0


@pytest.fixture(scope="module")
def shelf() -> Iterator[str]:
    """A web server with a document on it."""

    async def document(_: Any) -> JSONResponse:
        return JSONResponse(series("Shelf", take_book={}))

    async def elsewhere(_: Any) -> PlainTextResponse:
        return PlainTextResponse("moved", status_code=302, headers={"Location": "/openapi.json"})

    routes = [Route("/openapi.json", document), Route("/old.json", elsewhere)]
    with serving(Starlette(routes=routes)) as (url, _):
        yield url


async def test_a_document_is_fetched_from_its_address(shared_product: Product, shelf: str) -> None:
    query = f"bundle=garage&allow_private=true&url={shelf}/openapi.json"
    draft = await draft_of(shared_product, b"", query)
    assert (draft["state"], draft["plan"]["spec"]) == ("ready", "shelf")
    assert (await apply(shared_product, draft)).status == 200
    history = await fetch(shared_product, "/api/specs/shelf/documents")
    assert history["items"][0]["source"] == f"{shelf}/openapi.json"


async def test_an_address_inside_the_network_is_not_fetched_unasked(
    shared_product: Product, shelf: str
) -> None:
    inside = await draft_of(shared_product, b"", f"bundle=garage&url={shelf}/openapi.json")
    assert (inside["state"], inside["error"]["code"]) == ("failed", "egress_refused")
    query = f"bundle=garage&allow_private=true&url={shelf}/old.json"
    moved = await draft_of(shared_product, b"", query)
    assert (moved["state"], moved["error"]["code"]) == ("failed", "fetch_failed")


@pytest.mark.parametrize(
    ("query", "data"),
    [("bundle=garage", b""), ("bundle=garage&url=https://a.example/x", b"{}")],
)
async def test_a_document_and_an_address_are_one_or_the_other(
    shared_product: Product, query: str, data: bytes
) -> None:
    reply = await shared_product.request(
        "POST", f"/api/imports?{query}", role="integrator", data=data
    )
    assert (reply.status, reply.json["code"]) == (400, "unreadable_upload")


async def test_a_draft_can_be_taken_back_and_is_for_those_who_import(
    shared_product: Product,
) -> None:
    draft = await draft_of(shared_product, series("Back", take_back={}))
    path = f"/api/imports/{draft['id']}"
    for method in ("GET", "PATCH", "DELETE"):
        assert (await shared_product.request(method, path, json={})).status == 403
    assert (await shared_product.request("POST", "/api/imports?bundle=x", data=b"{}")).status == 403
    gone = await shared_product.request("DELETE", path, role="integrator")
    assert gone.status == 204
    missing = await shared_product.request("GET", path, role="integrator")
    assert (missing.status, missing.json["code"]) == (404, "no_such_draft")


async def test_documents_have_a_history(shared_product: Product) -> None:
    await bring(shared_product, series("History", old_way={}), "bundle=garage&publish=true")
    newer = series("History", old_way={"summary": "Old"}, new_way={})
    await bring(shared_product, newer, "bundle=second&publish=true")
    lines = (await fetch(shared_product, "/api/specs?limit=200"))["items"]
    [line] = [one for one in lines if one["name"] == "history"]
    assert (line["document"], line["tools"], line["published"]) == (2, 2, 2)
    assert line["bundles"] == ["garage", "second"]
    history = await fetch(shared_product, "/api/specs/history/documents?limit=1")
    assert history["items"][0]["number"] == 2
    cursor = history["next_cursor"]
    older = await fetch(shared_product, f"/api/specs/history/documents?cursor={cursor}")
    assert [one["number"] for one in older["items"]] == [1]
    detail = await fetch(shared_product, "/api/specs/history/documents/2")
    assert detail["versions"] == [
        {"name": "new_way", "version": 1},
        {"name": "old_way", "version": 2},
    ]
    assert {verdict["outcome"] for verdict in detail["verdicts"]} == {"imported"}
    source = await shared_product.request(
        "GET", "/api/specs/history/documents/2/source", role="integrator"
    )
    assert json.loads(source.body) == newer
    assert source.headers["content-type"] == "application/json"
    for path in ("/api/specs/nothing/documents", "/api/specs/history/documents/9"):
        missing = await shared_product.request("GET", path, role="integrator")
        assert (missing.status, missing.json["code"]) == (404, "no_such_document")


async def test_the_list_of_documents_comes_in_pages(shared_product: Product) -> None:
    first = await fetch(shared_product, "/api/specs?limit=1")
    rest = await fetch(shared_product, f"/api/specs?limit=200&cursor={first['next_cursor']}")
    names = [one["name"] for one in first["items"] + rest["items"]]
    assert names == sorted(set(names))
    assert "service_booking" in names


@pytest.mark.needs_specs
@pytest.mark.skipif(not SPECS.is_dir(), reason="the public documents are not here")
async def test_a_large_public_document_is_put_in_force_whole(shared_product: Product) -> None:
    raw = (SPECS / "github.yaml").read_bytes()
    draft = await draft_of(shared_product, raw, "bundle=github")
    assert draft["plan"]["counts"]["added"] > 850
    done = await apply(shared_product, draft, publish=True)
    assert done.status == 200, done.body
    assert (await fetch(shared_product, "/api/tools?bundle=github&limit=1"))["total"] > 850


async def test_that_an_import_may_reach_inside_addresses_is_on_the_record(
    shared_product: Product,
) -> None:
    draft = await draft_of(shared_product, series("Inside", look_inside={}))
    looked_at = await apply(shared_product, draft)
    at_once = await bring(shared_product, series("Inside too", look_further={}), "bundle=garage")
    for action, target in (
        ("document.drafted", draft["id"]),
        ("document.imported", looked_at.json["spec"]),
        ("document.imported", at_once.json["spec"]),
    ):
        query = "SELECT details FROM audit_records WHERE action = :a AND target = :t"
        [record] = shared_product.query(query, a=action, t=target)
        assert json.loads(record.details)["allow_private"] is True
