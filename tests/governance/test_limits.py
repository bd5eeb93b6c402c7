"""Rates hold to the call, alone and shared; what is over them is told when to come back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest

from databases import Templates, settings_for
from msil_mcp.governance.limits import Bucket, Limiter, LocalLimiter
from msil_mcp.governance.shared_limits import RedisLimiter
from product.ledger import PLAIN, READ, Ledger, publish, running_ledger
from product.orders import agreed
from product.polling import eventually
from product.relays import relay_to
from running import Product
from running import product as running_product

pytestmark = pytest.mark.anyio

REDIS = "redis://127.0.0.1:6379/11"


def bucket(*, rate: float = 0.01, burst: int = 5, key: str | None = None) -> Bucket:
    """A bucket of its own; it fills too slowly to matter unless a rate is given."""
    return Bucket(key or uuid4().hex, "principal", rate, burst)


async def passed(limiter: Limiter, *buckets: Bucket, calls: int = 20) -> int:
    return [await limiter.take(buckets) for _ in range(calls)].count(None)


@asynccontextmanager
async def redis_limiter(url: str = REDIS) -> AsyncIterator[RedisLimiter]:
    limiter = RedisLimiter(url)
    try:
        yield limiter
    finally:
        await limiter.close()


@pytest.fixture(params=["local", "redis"])
async def limiter(request: pytest.FixtureRequest) -> AsyncIterator[Limiter]:
    if request.param == "local":
        yield LocalLimiter()
        return
    async with redis_limiter() as shared:
        yield shared


@pytest.mark.parametrize("burst", [1, 5])
async def test_exactly_the_burst_passes_at_once(limiter: Limiter, burst: int) -> None:
    assert await passed(limiter, bucket(burst=burst)) == burst


async def test_the_wait_that_is_told_is_enough_and_lets_one_call_in(limiter: Limiter) -> None:
    quick = bucket(rate=20.0, burst=3)
    assert await passed(limiter, quick, calls=3) == 3
    refused = await limiter.take([quick])
    assert refused is not None
    empty, wait = refused
    assert empty is quick
    assert 0 < wait <= 1 / 20
    await asyncio.sleep(wait + 0.002)
    assert await passed(limiter, quick, calls=2) == 1


async def test_a_refused_call_takes_nothing_from_any_bucket(limiter: Limiter) -> None:
    wide, narrow = bucket(burst=10), bucket(burst=2)
    assert await passed(limiter, wide, narrow) == 2
    refused = await limiter.take([wide, narrow])
    assert refused is not None
    assert refused[0] is narrow
    assert await passed(limiter, wide) == 8


async def test_callers_do_not_share_a_bucket(limiter: Limiter) -> None:
    assert await passed(limiter, bucket()) == 5
    assert await passed(limiter, bucket()) == 5


async def test_replicas_share_one_burst() -> None:
    shared = bucket(burst=10)
    async with redis_limiter() as one, redis_limiter() as other:
        counts = await asyncio.gather(passed(one, shared), passed(other, shared))
    assert sum(counts) == 10


async def test_without_redis_half_passes_and_with_it_again_all() -> None:
    with relay_to("127.0.0.1", 6379) as relay:
        async with redis_limiter(f"redis://127.0.0.1:{relay.port}/11") as limiter:
            assert await passed(limiter, bucket(burst=10)) == 10
            assert await limiter.healthy()
            relay.cut()
            assert await passed(limiter, bucket(burst=10)) == 5
            assert not await limiter.healthy()
            relay.restore()

            async def shared_again() -> bool:
                # It asks Redis again a second after it last failed.
                return await passed(limiter, bucket(burst=10)) == 10

            await eventually(shared_again, within=3)
            assert await limiter.healthy()


@pytest.fixture(scope="module")
def ledger() -> Iterator[Ledger]:
    with running_ledger() as ledger:
        yield ledger


@pytest.fixture(scope="module")
def limited(templates: Templates, booking_url: str) -> Iterator[Product]:
    with templates.clone("sqlite") as url:
        settings = settings_for(
            url, rate_per_principal=0.01, rate_per_tool=0.01, rate_burst=4, concurrency_per_tool=1
        )
        with running_product(settings, booking_url=booking_url) as product:
            yield product


async def test_calls_over_a_rate_are_refused_recorded_and_counted(limited: Product) -> None:
    vehicle = {"registration_number": "MH12AB1234"}
    replies = [await limited.call("resolve_vehicle", vehicle) for _ in range(6)]
    assert [reply.status for reply in replies] == [200] * 4 + [429] * 2
    assert int(replies[-1].headers["retry-after"]) > 1
    assert "Wait" in replies[-1].json["text"]
    rows = limited.query("SELECT outcome FROM audit_records WHERE rule = 'limit'")
    assert [row.outcome for row in rows] == ["denied"] * 2
    # The caller's and the tool's are empty alike; another caller meets the tool's alone.
    other = await limited.call("resolve_vehicle", vehicle, role="administrator")
    assert (other.status, "of this tool" in other.json["text"]) == (429, True)
    metrics = (await limited.request("GET", "/metrics", role=None)).body
    assert b'mcp_rate_limited_total{limit="tool"} 1.0' in metrics
    assert b'mcp_tool_denials_total{rule="limit"} 3.0' in metrics


async def test_a_call_beyond_the_concurrency_of_its_tool_is_told_to_wait(
    limited: Product, ledger: Ledger
) -> None:
    await publish(limited, ledger)
    caller = {"user": limited.keys["integrator"]}
    busy = Product(
        limited.settings, limited.booking_url, url=limited.url, keys=limited.keys | caller
    )
    exposed = await limited.request(
        "POST",
        "/api/roles/exposures",
        role="administrator",
        json={"role": "integrator", "kind": "bundle", "target": "ledger"},
    )
    assert exposed.status == 201
    await agreed(busy, PLAIN, {"text": "first"}, key="first")
    ledger.hold()
    first = asyncio.create_task(busy.call(PLAIN, {"text": "first"}, key="first"))
    assert await asyncio.to_thread(ledger.arrived.wait, 10)
    second = await busy.call(PLAIN, {"text": "second"}, key="second")
    assert (second.status, second.json["error"]) == (429, "tool_busy")
    assert second.headers["retry-after"] == "1"
    assert (await busy.call(READ, {"number": 1})).status == 200
    ledger.release()
    assert (await first).status == 200
