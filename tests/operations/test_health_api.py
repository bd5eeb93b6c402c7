"""How everything is doing that the product depends on, over REST."""

from typing import Any

import pytest

from databases import settings_for
from msil_mcp.db.database import Database, database_url
from msil_mcp.governance.shared_limits import RedisLimiter
from running import Product, free_port
from tools.catalogues import bring
from tools.documents import garage

pytestmark = pytest.mark.anyio


async def health(product: Product) -> Any:
    reply = await product.request("GET", "/api/health", role="operator")
    assert reply.status == 200, reply.body
    return reply.json


async def test_every_dependency_is_reported_with_its_latency(shared_product: Product) -> None:
    assert (await shared_product.call("get_nearby_dealers", {"city": "Pune"})).status == 200
    found = await health(shared_product)
    assert (found["status"], found["draining"]) == ("ready", False)
    named = {one["name"]: one for one in found["dependencies"]}
    assert {name: one["state"] for name, one in named.items()} == {
        "database": "healthy",
        "audit": "healthy",
        "configuration": "healthy",
        "redis": "disabled",
        "replica": "disabled",
        "bus": "healthy",
        "jobs": "healthy",
    }
    assert {name for name, one in named.items() if one["required"]} == {
        "database", "audit", "configuration",
    }  # fmt: skip
    assert named["database"]["latency_ms"] > 0
    assert "connections in use" in named["database"]["detail"]
    assert named["audit"]["latency_ms"] > 0
    assert named["database"]["last_error"] is None
    assert {"audit.anchor", "analytics.summarise"} < {job["kind"] for job in found["jobs"]}


async def test_an_api_that_keeps_failing_shows_its_trouble(shared_product: Product) -> None:
    await bring(shared_product, garage(ring={}), "bundle=service_booking&publish=true")
    assert (await shared_product.call("ring", {})).status >= 500
    before = {one["origin"]: one for one in (await health(shared_product))["upstreams"]}
    garage_origin = "http://127.0.0.1:9"
    assert (before[garage_origin]["circuit"], before[garage_origin]["failures"]) == ("closed", 1)
    for _ in range(9):
        await shared_product.call("ring", {})
    after = {one["origin"]: one for one in (await health(shared_product))["upstreams"]}
    broken = after[garage_origin]
    assert (broken["circuit"], broken["state"], broken["failures"]) == ("open", "unhealthy", 10)
    assert 0 < broken["retry_in_seconds"] <= 10
    assert broken["last_error"] == "upstream_unreachable"
    assert broken["last_error_at"] is not None


async def test_the_model_is_unused_until_somebody_talks_to_it(shared_product: Product) -> None:
    [model] = (await health(shared_product))["models"]
    assert (model["name"], model["is_scripted"], model["state"]) == (
        "msil-scripted", True, "unused",
    )  # fmt: skip
    said = await shared_product.request("POST", "/api/chat/send", json={"message": "Hello"})
    assert said.status == 200, said.body
    [model] = (await health(shared_product))["models"]
    assert (model["state"], model["latency_ms"] > 0) == ("healthy", True)


async def test_health_is_for_those_who_watch(shared_product: Product) -> None:
    reply = await shared_product.request("GET", "/api/health")
    assert (reply.status, reply.json["permission"]) == (403, "analytics:read")


async def test_a_database_that_is_away_says_why() -> None:
    url = f"postgresql://postgres@127.0.0.1:{free_port()}/nothing"
    database = Database(database_url(settings_for(url)))
    said = await database.trouble()
    await database.close()
    assert said is not None
    assert "OperationalError" in said
    assert "\n" not in said


async def test_redis_that_is_away_says_why() -> None:
    limiter = RedisLimiter(f"redis://127.0.0.1:{free_port()}/0")
    said = await limiter.trouble()
    await limiter.close()
    assert said is not None
    assert "ConnectionError" in said
