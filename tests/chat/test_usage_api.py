"""Both doors draw on one budget, and everybody sees what they took; administrators see all."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from chat.conversing import by_model, opened
from databases import Templates, settings_for
from running import Product, Reply, product

pytestmark = pytest.mark.anyio

DAILY = 12_000
PRICES = {"msil-scripted": {"input": 1, "output": 2, "cached_input": 0.5}}
HELLO = {"model": "openai:msil-scripted", "messages": [{"role": "user", "content": "Hello"}]}
TOOLS = {**HELLO, "messages": [{"role": "user", "content": "Which dealers are near Baner, Pune?"}]}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def bounded(
    request: pytest.FixtureRequest, templates: Templates, booking_url: str, paced_model: str
) -> Iterator[Product]:
    """A product with a budget, whose model has a price."""
    changes = by_model(paced_model) | {"chat_daily_tokens": DAILY, "model_prices": PRICES}
    with (
        templates.clone(request.param) as url,
        product(settings_for(url, **changes), booking_url=booking_url) as running,
    ):
        yield running


async def usage(served: Product, query: str = "", **options: Any) -> Any:
    reply = await served.request("GET", f"/api/usage?{query}", **options)
    assert reply.status == 200, reply.body
    return reply.json


async def new_key(served: Product, name: str, **facts: Any) -> dict[str, str]:
    body = {"name": name, "roles": ["user"], **facts}
    made = await served.request("POST", "/api/keys", role="administrator", json=body)
    assert made.status == 201, made.body
    return {"X-API-Key": made.json["token"]}


async def complete(served: Product, body: dict[str, Any], headers: dict[str, str]) -> Reply:
    path = "/v1/chat/completions"
    return await served.request("POST", path, role=None, headers=headers, json=body)


async def test_what_both_doors_took_is_one_sum(bounded: Product) -> None:
    key = await new_key(bounded, "both doors")
    body = {"message": "Hello"}
    sent = await bounded.request("POST", "/api/chat/send", role=None, headers=key, json=body)
    turn = sent.json["usage"]
    answered = (await complete(bounded, TOOLS, key)).json["usage"]
    streamed = {**HELLO, "stream": True, "stream_options": {"include_usage": True}}
    piece = (await complete(bounded, streamed, key)).body.split(b"\n\n")[-3]
    assert b'"total_tokens"' in piece

    found = await usage(bounded, "by=door&by=model", role=None, headers=key)
    chat, facade = found["items"]
    assert (chat["door"], facade["door"]) == ("chat", "openai")
    assert {chat["model"], facade["model"]} == {"openai:msil-scripted"}
    for name in ("input_tokens", "output_tokens", "cached_tokens", "cost_usd"):
        assert chat[name] == turn[name], name
    assert (chat["turns"], chat["requests"]) == (1, turn["model_requests"])
    assert (facade["turns"], facade["requests"]) == (2, 3)
    assert facade["input_tokens"] > answered["prompt_tokens"]
    fresh = chat["input_tokens"] - chat["cached_tokens"]
    cost = fresh * 1 + chat["cached_tokens"] * 0.5 + chat["output_tokens"] * 2
    assert chat["cost_usd"] == pytest.approx(cost / 1e6)
    for name in ("turns", "requests", "input_tokens", "output_tokens", "cached_tokens"):
        assert found["totals"][name] == chat[name] + facade[name]
    used = found["totals"]["input_tokens"] + found["totals"]["output_tokens"]
    assert found["budget"]["tokens"] == {"limit": DAILY, "used": used, "left": DAILY - used}
    assert found["budget"]["cost_usd"]["limit"] is None


async def test_the_wait_for_the_first_token_is_kept_with_the_turn(bounded: Product) -> None:
    talk = await opened(bounded)
    begun = await talk.begin("Hello")
    events = await talk.listen()
    turn = (await talk.ask("GET", f"/turns/{begun['run_id']}")).json
    took = await talk.wait()
    assert 0 < turn["first_token_ms"] < 60_000
    assert took["usage"]["first_token_ms"] == turn["first_token_ms"]
    [told] = [event.data["data"] for event in events if event.data != "[DONE]"
              and event.data["type"] == "data-usage"]  # fmt: skip
    assert told["first_token_ms"] == turn["first_token_ms"]


async def test_a_spent_budget_closes_both_doors_with_the_same_words(bounded: Product) -> None:
    key = await new_key(bounded, "spends all")
    while (refused := await complete(bounded, HELLO, key)).status == 200:
        pass
    assert refused.status == 429
    error = refused.json["error"]
    assert (error["code"], error["type"]) == ("insufficient_quota", "rate_limit_error")
    body = {"message": "Hello"}
    send = await bounded.request("POST", "/api/chat/send", role=None, headers=key, json=body)
    assert (send.status, send.json["code"]) == (429, "chat_budget_spent")
    for said in (error["message"], send.json["detail"]):
        assert f"of {DAILY:,} tokens a day" in said
    assert (await usage(bounded, role=None, headers=key))["budget"]["tokens"]["left"] == 0


async def test_the_official_client_does_not_try_a_spent_budget_again(bounded: Product) -> None:
    key = await new_key(bounded, "by client")
    while (await complete(bounded, HELLO, key)).status == 200:
        pass
    base = f"{bounded.url}/v1"
    async with AsyncOpenAI(base_url=base, api_key=key["X-API-Key"], max_retries=5) as client:
        with pytest.raises(openai.RateLimitError) as raised:
            await client.chat.completions.create(**HELLO)
    assert raised.value.code == "insufficient_quota"
    assert raised.value.response.request.headers["x-stainless-retry-count"] == "0"


async def test_the_keys_of_a_user_draw_on_that_users_budget(bounded: Product) -> None:
    person = {"username": f"asha.{bounded.settings.port}", "display_name": "Asha"}
    made = await bounded.request("POST", "/api/users", role="administrator", json=person)
    owner = made.json["user"]["id"]
    keys = [await new_key(bounded, name, owner_id=owner) for name in ("first", "second")]
    for key in keys:
        assert (await complete(bounded, HELLO, key)).status == 200
    seen = [await usage(bounded, "by=user", role=None, headers=key) for key in keys]
    assert seen[0] == seen[1]
    [row] = seen[0]["items"]
    assert (row["user_id"], row["user_name"], row["turns"]) == (f"user:{owner}", "Asha", 2)
    everybody = await usage(bounded, "by=user&limit=200", role="administrator")
    assert row in everybody["items"]
    assert everybody["user_id"] is None


async def test_only_who_may_sees_what_others_took(bounded: Product) -> None:
    key = await new_key(bounded, "mine")
    await complete(bounded, HELLO, key)
    [own] = (await usage(bounded, "by=user", role=None, headers=key))["items"]
    assert own["user_name"] == "mine"
    path = f"/api/usage?user={own['user_id']}"
    for role in ("user", "integrator", "auditor", "operator"):
        refused = await bounded.request("GET", path, role=role)
        assert (refused.status, refused.json["permission"]) == (403, "usage:read_all")
        assert (await usage(bounded, role=role))["user_id"].startswith("key:")
    shown = await usage(bounded, f"user={own['user_id']}&by=user", role="administrator")
    assert shown["items"] == [own]
    assert shown["budget"]["user_id"] == own["user_id"]


async def test_rows_come_in_pages_and_ranges_are_judged(bounded: Product) -> None:
    for name in ("one", "two"):
        await complete(bounded, HELLO, await new_key(bounded, name))
    whole = await usage(bounded, "by=user&by=day&limit=200", role="administrator")
    pages, following = [], ""
    while following is not None:
        page = await usage(bounded, f"by=user&by=day&limit=1{following}", role="administrator")
        pages += page["items"]
        following = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    assert pages == whole["items"]
    assert len(pages) > 1
    past = await usage(bounded, "from=2025-01-01&to=2025-01-31", role="administrator")
    assert (past["items"], past["totals"]["turns"]) == ([], 0)
    for query, status in (
        ("from=2025-02-01&to=2025-01-01", 422),
        ("by=year", 422),
        ("cursor=x", 400),
    ):
        assert (await bounded.request("GET", f"/api/usage?{query}")).status == status
