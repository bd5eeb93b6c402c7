"""Webhooks as their managers see them, over REST, with the whole product running."""

from typing import Any

import pytest

from product.orders import agreed, order
from product.polling import eventually
from running import Product, Reply
from webhooks.receiver import Receiver, receiving

pytestmark = pytest.mark.anyio

PLATE = {"registration_number": "MH12AB1234"}


async def manage(product: Product, method: str, path: str = "", **options: Any) -> Reply:
    role = options.pop("role", "administrator")
    return await product.request(method, f"/api/webhooks{path}", role=role, **options)


async def subscribed(product: Product, receiver: Receiver, *event_types: str) -> tuple[str, str]:
    """A webhook's id and secret."""
    body = {"url": receiver.url, "event_types": event_types, "allow_private": True}
    made = await manage(product, "POST", json=body)
    assert made.status == 201, made.body
    return made.json["webhook"]["id"], made.json["secret"]


async def test_what_is_subscribed_to_arrives_signed_masked_and_once(
    shared_product: Product,
) -> None:
    product = shared_product
    async with receiving() as receiver:
        webhook, secret = await subscribed(product, receiver, "write.done", "approval.decided")
        wanted = order(notes=f"for {webhook}")
        approval = await agreed(product, "create_service_booking", wanted, key=webhook)
        done = await product.call("create_service_booking", wanted, key=webhook, approval=approval)
        await product.call("resolve_vehicle", PLATE)
        posted = await receiver.until(2)

        async def both_are_noted() -> bool:
            listed = await manage(product, "GET", f"/{webhook}/deliveries?state=delivered")
            return len(listed.json["items"]) == 2

        await eventually(both_are_noted, within=5)
        assert len(receiver.posted) == 2
    by_type = {one.event["type"]: one for one in posted}
    assert set(by_type) == {"write.done", "approval.decided"}
    for one in posted:
        assert one.is_signed_with(secret)
        assert not one.is_signed_with("whsec_" + "A" * 44)
        assert one.event["id"] == one.id
        assert one.headers["content-type"] == "application/json"
        assert wanted["customer_mobile"].encode() not in one.body
    data = by_type["write.done"].event["data"]
    assert data["correlation_id"] == done.headers["x-correlation-id"]
    assert data["approval_id"] == by_type["approval.decided"].event["data"]["target"] == approval


async def test_a_secret_is_shown_once_sealed_at_rest_and_rotated_with_an_overlap(
    shared_product: Product,
) -> None:
    product = shared_product
    async with receiving() as receiver:
        webhook, old = await subscribed(product, receiver, "tool.called")
        shown = await manage(product, "GET", f"/{webhook}")
        assert "secret" not in shown.json
        rotated = await manage(product, "POST", f"/{webhook}/rotate", json={})
        new = rotated.json["secret"]
        for secret in (old, new):
            assert product.query("SELECT id FROM webhooks WHERE secret LIKE :s", s=secret) == []
        await manage(product, "POST", f"/{webhook}/test")
        (first,) = await receiver.until(1)
        assert first.is_signed_with(old)
        assert first.is_signed_with(new)
        assert first.event["type"] == "webhook.test"

        await manage(product, "POST", f"/{webhook}/rotate", json={"overlap_seconds": 0})
        await manage(product, "POST", f"/{webhook}/test")
        _, second = await receiver.until(2)
        assert not second.is_signed_with(old)
        assert not second.is_signed_with(new)
        records = product.query(
            "SELECT details FROM audit_records WHERE target = :webhook", webhook=webhook
        )
        assert len(records) == 5
        assert receiver.url not in str(records)


async def test_deliveries_are_listed_filtered_paged_shown_and_replayed(
    shared_product: Product,
) -> None:
    product = shared_product
    async with receiving() as receiver:
        webhook, secret = await subscribed(product, receiver, "tool.denied")
        for _ in range(3):
            await manage(product, "POST", f"/{webhook}/test")
        await receiver.until(3)

        async def all_are_noted() -> bool:
            listed = await manage(product, "GET", f"/{webhook}/deliveries?state=delivered")
            return len(listed.json["items"]) == 3

        await eventually(all_are_noted, within=5)
        first = (await manage(product, "GET", f"/{webhook}/deliveries?limit=2")).json
        rest = await manage(
            product, "GET", f"/{webhook}/deliveries?limit=2&cursor={first['next_cursor']}"
        )
        ids = [item["id"] for item in first["items"] + rest.json["items"]]
        assert ids == sorted(set(ids), reverse=True)
        assert len(ids) == 3
        for query, count in (("event_type=webhook.test", 3), ("state=dead", 0)):
            found = await manage(product, "GET", f"/{webhook}/deliveries?{query}")
            assert len(found.json["items"]) == count
        detail = (await manage(product, "GET", f"/{webhook}/deliveries/{ids[0]}")).json
        assert detail["payload"]["id"] == detail["event_id"]
        assert (detail["attempts"], detail["last_status"]) == (1, 204)

        again = await manage(product, "POST", f"/{webhook}/deliveries/{ids[0]}/replay")
        assert again.status == 202
        *_, repeated = await receiver.until(4)
        assert repeated.id == detail["event_id"]
        assert repeated.is_signed_with(secret)
        unknown = await manage(product, "POST", f"/{webhook}/deliveries/999999/replay")
        assert (unknown.status, unknown.json["code"]) == (404, "unknown_delivery")


async def test_a_paused_webhook_gets_nothing_and_nothing_later_of_that_time(
    shared_product: Product,
) -> None:
    product = shared_product
    async with receiving() as receiver:
        webhook, _ = await subscribed(product, receiver, "tool.called")
        paused = await manage(product, "PATCH", f"/{webhook}", json={"active": False})
        assert paused.json["active"] is False
        await product.call("resolve_vehicle", PLATE)
        refused = await manage(product, "POST", f"/{webhook}/test")
        assert (refused.status, refused.json["code"]) == (409, "webhook_paused")
        await manage(product, "PATCH", f"/{webhook}", json={"active": True})
        after = await product.call("resolve_vehicle", PLATE)
        (only,) = await receiver.until(1)
        assert only.event["data"]["correlation_id"] == after.headers["x-correlation-id"]
        ended = await manage(product, "DELETE", f"/{webhook}")
        assert ended.status == 204
        assert (await manage(product, "GET", f"/{webhook}")).status == 404
        assert (
            product.query("SELECT id FROM webhook_deliveries WHERE webhook_id = :w", w=webhook)
            == []
        )


async def test_only_an_administrator_opens_the_way_into_private_networks(
    shared_product: Product,
) -> None:
    product = shared_product
    body = {"url": "http://10.0.0.7/hook", "event_types": ["tool.called"], "allow_private": True}
    refused = await manage(product, "POST", role="operator", json=body)
    assert (refused.status, refused.json["code"]) == (403, "private_webhook_target")
    public = {"url": "https://hooks.example/in", "event_types": ["tool.called"]}
    made = (await manage(product, "POST", role="operator", json=public)).json["webhook"]["id"]
    widened = await manage(
        product, "PATCH", f"/{made}", role="operator", json={"allow_private": True}
    )
    assert widened.status == 403
    allowed = (await manage(product, "POST", json=body)).json["webhook"]["id"]
    moved = await manage(
        product, "PATCH", f"/{allowed}", role="operator", json={"url": "http://10.0.0.8/hook"}
    )
    assert moved.status == 403
    renamed = await manage(
        product, "PATCH", f"/{allowed}", role="operator", json={"description": "inside"}
    )
    assert (renamed.status, renamed.json["description"]) == (200, "inside")
    for webhook in (made, allowed):
        await manage(product, "DELETE", f"/{webhook}")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/",
        "hooks.example",
        "https://user:secret@hooks.example/",
        "http://hooks.example/",
        "https://hooks.example/#here",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://169.254.169.254/latest",
        "https://hooks.example:99999/",
        "https://hooks.example/a b",
    ],
)
async def test_a_url_that_cannot_be_posted_to_is_refused(shared_product: Product, url: str) -> None:
    reply = await manage(shared_product, "POST", json={"url": url, "event_types": ["tool.called"]})
    assert (reply.status, reply.json["code"]) == (422, "bad_webhook_url")


async def test_event_types_are_a_closed_vocabulary(shared_product: Product) -> None:
    known = (await manage(shared_product, "GET", "/event-types")).json
    assert {"tool.called", "write.done", "approval.requested"} <= set(known)
    for types in ([], ["tool.exploded"]):
        body = {"url": "https://hooks.example/", "event_types": types}
        assert (await manage(shared_product, "POST", json=body)).status == 422


@pytest.mark.parametrize("role", ["integrator", "auditor", "user"])
async def test_webhooks_are_closed_to_who_may_not_manage_them(
    shared_product: Product, role: str
) -> None:
    for method, path in (
        ("GET", ""),
        ("POST", ""),
        ("GET", "/event-types"),
        ("GET", "/wh_1"),
        ("PATCH", "/wh_1"),
        ("DELETE", "/wh_1"),
        ("POST", "/wh_1/rotate"),
        ("POST", "/wh_1/test"),
        ("POST", "/wh_1/replay"),
        ("GET", "/wh_1/deliveries"),
        ("GET", "/wh_1/deliveries/1"),
        ("POST", "/wh_1/deliveries/1/replay"),
    ):
        reply = await manage(shared_product, method, path, role=role)
        assert (reply.status, reply.json["code"]) == (403, "permission_denied"), path
