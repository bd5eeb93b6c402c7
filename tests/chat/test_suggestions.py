"""What the welcome page of the chat offers to begin with."""

import pytest

from running import Product

pytestmark = pytest.mark.anyio


async def test_suggestions_are_the_prompts_of_ones_bundles(shared_product: Product) -> None:
    reply = await shared_product.request("GET", "/api/chat/suggestions")
    assert reply.status == 200
    found = {one["name"]: one for one in reply.json}
    assert list(found) == ["book_service", "check_booking", "find_dealers"]
    booking = found["book_service"]
    assert booking["bundle"] == "service_booking"
    assert booking["example"].startswith("Book a regular service for my car MH12AB1234 on tomorrow")
    assert "{registration_number}" in booking["template"]
    assert booking["arguments"][0]["examples"] == ["MH12AB1234", "DL8CAB7890"]
    # Nobody can know a booking's number beforehand.
    assert found["check_booking"]["example"] is None


async def test_without_tools_there_is_nothing_to_suggest(shared_product: Product) -> None:
    body = {"name": "nothing", "roles": ["user"], "scopes": ["tool:no_such_tool"]}
    made = await shared_product.request("POST", "/api/keys", role="administrator", json=body)
    headers = {"Authorization": f"Bearer {made.json['token']}"}
    reply = await shared_product.request("GET", "/api/chat/suggestions", role=None, headers=headers)
    assert (reply.status, reply.json) == (200, [])


async def test_who_may_not_chat_gets_no_suggestions(shared_product: Product) -> None:
    reply = await shared_product.request("GET", "/api/chat/suggestions", role="auditor")
    assert (reply.status, reply.json["permission"]) == (403, "chat:use")
