"""What changes the catalogue and who may do what is told live and by webhooks alike."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from events.watching import watching
from running import Product
from webhooks.receiver import receiving
from webhooks.test_webhooks_api import subscribed

pytestmark = pytest.mark.anyio

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Parts", "version": "1"},
    "servers": [{"url": "https://parts.example.com"}],
    "paths": {
        "/parts": {
            "get": {
                "operationId": "list_parts",
                "summary": "List parts",
                "responses": {"200": {"description": "Parts"}},
            }
        }
    },
}
CATALOGUE = (
    *("document.imported", "bundle.published", "tool.edited", "tool.withdrawn"),
    *("tool.published", "bundle.withdrawn"),
)
ACCESS = (
    *("role.created", "role.changed", "exposure.granted", "exposure.removed", "role.deleted"),
    *("user.created", "user.changed", "user.password_reset", "key.created", "key.rotated"),
    *("key.revoked", "chat.exported", "audit.exported"),
)


async def administer(product: Product, method: str, path: str, **options: Any) -> Any:
    reply = await product.request(method, f"/api{path}", role="administrator", **options)
    assert reply.status < 300, (path, reply.body)
    return msgspec.json.decode(reply.body) if reply.body[:1] == b"{" else None


async def change_the_catalogue(product: Product) -> None:
    query = "bundle=parts&publish=true"
    await administer(product, "POST", f"/specs?{query}", data=msgspec.json.encode(DOCUMENT))
    edit = {"description": "Lists the parts of a car."}
    await administer(product, "PATCH", "/tools/list_parts", json=edit)
    for version in (None, 1):
        body = {"version": version}
        await administer(product, "PUT", "/tools/list_parts/published", json=body)
    await administer(product, "POST", "/bundles/parts/withdraw")


async def change_access(product: Product) -> None:
    role = {"name": "clerk", "permissions": ["tools:read"]}
    await administer(product, "POST", "/roles", json=role)
    await administer(product, "PATCH", "/roles/clerk", json={"description": "At the counter."})
    grant = {"role": "clerk", "kind": "all"}
    exposure = await administer(product, "POST", "/roles/exposures", json=grant)
    await administer(product, "DELETE", f"/roles/exposures/{exposure['id']}")
    await administer(product, "DELETE", "/roles/clerk")
    person = {"username": "ravi", "display_name": "Ravi"}
    user = (await administer(product, "POST", "/users", json=person))["user"]["id"]
    await administer(product, "PATCH", f"/users/{user}", json={"display_name": "Ravi R"})
    await administer(product, "POST", f"/users/{user}/password", json={})
    key = (await administer(product, "POST", "/keys", json={"name": "k"}))["key"]["id"]
    await administer(product, "POST", f"/keys/{key}/rotate", json={})
    await administer(product, "DELETE", f"/keys/{key}")
    await administer(product, "GET", "/chat/export/finetuning")
    await administer(product, "GET", "/audit/export?action=none")


@pytest.mark.parametrize(
    ("change", "types"), [(change_the_catalogue, CATALOGUE), (change_access, ACCESS)]
)
async def test_every_change_is_told_live_and_by_webhook(
    shared_product: Product, change: Callable[[Product], Any], types: tuple[str, ...]
) -> None:
    product = shared_product
    async with receiving() as receiver, watching(product) as watcher:
        webhook, _ = await subscribed(product, receiver, *types)
        await change(product)
        live = await watcher.expect(*types)
        posted = await receiver.until(len(types))
        await administer(product, "DELETE", f"/webhooks/{webhook}")
    assert sorted(one.event["type"] for one in posted) == sorted(types)
    assert all(event["data"]["caller"]["name"] == "test administrator" for event in live)
    targets = {event["type"]: event["data"]["target"] for event in live}
    assert targets.get("bundle.published", "parts") == "parts"
    assert "msil_" not in b"".join(one.body for one in posted).decode()
