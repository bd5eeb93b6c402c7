"""What stands behind the product goes away and comes back, and nobody restarts anything."""

from collections.abc import Iterator

import pytest
from redis import Redis

from databases import Templates, settings_for
from product.doors import call_by_mcp
from product.orders import agreed, order
from product.polling import eventually
from product.relays import Relay, relay_to
from running import Product, Reply
from running import product as running_product

pytestmark = pytest.mark.anyio

VEHICLE = {"registration_number": "MH12AB1234"}


async def call(product: Product) -> Reply:
    return await product.call("resolve_vehicle", VEHICLE)


async def ready(product: Product) -> Reply:
    return await product.request("GET", "/ready", role=None)


async def passed_at_once(product: Product) -> int:
    """How many of thirty calls are let in before the burst is used up."""
    replies = [await call(product) for _ in range(30)]
    assert {reply.status for reply in replies} == {200, 429}
    assert all("retry-after" in reply.headers for reply in replies if reply.status == 429)
    return sum(reply.status == 200 for reply in replies)


@pytest.fixture
def cut_from_database(templates: Templates, booking_url: str) -> Iterator[tuple[Product, Relay]]:
    """The product with PostgreSQL behind a relay."""
    with templates.clone("postgresql") as url, relay_to("127.0.0.1", 5432) as relay:
        relayed = url.replace("@127.0.0.1/", f"@127.0.0.1:{relay.port}/")
        with running_product(settings_for(relayed), booking_url=booking_url) as product:
            yield product, relay


@pytest.fixture
def cut_from_redis(templates: Templates, booking_url: str) -> Iterator[tuple[Product, Relay]]:
    """The product with Redis behind a relay: twenty calls at once, and hardly any after."""
    with templates.clone("sqlite") as url, relay_to("127.0.0.1", 6379) as relay:
        settings = settings_for(
            url,
            redis_url=f"redis://127.0.0.1:{relay.port}/9",
            rate_per_principal=0.1,
            rate_burst=20,
        )
        with Redis(port=6379, db=9) as redis:
            redis.flushdb()
        with running_product(settings, booking_url=booking_url) as product:
            yield product, relay


async def test_the_database_goes_and_comes_back(
    cut_from_database: tuple[Product, Relay],
) -> None:
    product, relay = cut_from_database
    assert (await call(product)).status == 200
    assert (await ready(product)).status == 200

    relay.cut()
    # From the first moment: nothing is answered that cannot be recorded, and all say when to retry.
    for reply in (
        await product.call("create_service_booking", order(), key="during-the-outage"),
        await product.call("resolve_vehicle", VEHICLE, key="a-keyed-read"),
        await call(product),
        await product.call("create_service_booking", order()),
        await product.request("GET", "/api/approvals", role="administrator"),
    ):
        assert reply.status == 503, reply.body
        assert int(reply.headers["retry-after"]) >= 1

    async def not_ready() -> bool:
        return (await ready(product)).status == 503

    await eventually(not_ready, within=3)
    report = (await ready(product)).json
    assert report["status"] == "not_ready"
    assert report["checks"]["database"] == "unhealthy"

    async def stale() -> bool:
        return (await ready(product)).json["checks"]["configuration"] == "unhealthy"

    await eventually(stale, within=7)
    by_rest, by_mcp = await call(product), await call_by_mcp(product, "resolve_vehicle", VEHICLE)
    assert {by_rest.status, by_mcp.status} == {503}
    assert by_rest.json["code"] == "snapshot_stale"
    assert by_mcp.json["error"]["message"] == by_rest.json["detail"]
    assert all(int(reply.headers["retry-after"]) >= 1 for reply in (by_rest, by_mcp))
    assert (await product.request("GET", "/health", role=None)).status == 200

    relay.restore()

    async def ready_again() -> bool:
        return (await ready(product)).status == 200

    await eventually(ready_again, within=5)
    assert (await call(product)).status == 200
    changed = await product.request(
        "PATCH", "/api/tools/get_nearby_dealers", role="administrator", json={"enabled": False}
    )
    assert changed.status == 200, changed.body
    path = "/api/audit/verify"
    verified = await product.request("POST", path, role="auditor")
    assert verified.status == 200, verified.body
    assert verified.json["intact"] is True
    answered = "SELECT id FROM audit_records WHERE tool = :tool AND outcome = 'succeeded'"
    assert len(product.query(answered, tool="resolve_vehicle")) == 2
    approval = await agreed(product, "create_service_booking", order(), key="after-the-outage")
    booked = await product.call("create_service_booking", order(), key="after-the-outage")
    assert booked.status == 200, booked.body
    found = await product.request("GET", f"/api/approvals/{approval}", role="administrator")
    assert found.json["state"] == "consumed"


async def test_without_redis_limits_are_stricter_and_nothing_else_changes(
    cut_from_redis: tuple[Product, Relay],
) -> None:
    product, relay = cut_from_redis
    assert (await ready(product)).json["checks"]["redis"] == "healthy"
    shared = await passed_at_once(product)

    relay.cut()
    alone = await passed_at_once(product)

    async def named() -> bool:
        return (await ready(product)).json["checks"]["redis"] == "unhealthy"

    await eventually(named, within=3)
    assert (await ready(product)).status == 200
    other = await product.request("GET", "/api/tools", role="administrator")
    assert other.status == 200
    assert (shared, alone) == (20, 10), "half of what is allowed passes without Redis"

    relay.restore()

    async def healthy_again() -> bool:
        return (await ready(product)).json["checks"]["redis"] == "healthy"

    await eventually(healthy_again, within=5)
