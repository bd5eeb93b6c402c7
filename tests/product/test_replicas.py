"""Server processes that share a database, and what is left when one of them is killed."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis import Redis

from databases import Templates, settings_for
from product.ledger import KEPT, PLAIN, Ledger, publish
from product.orders import agreed
from product.polling import eventually
from product.processes import ServerProcess, environment, server_processes
from running import Product, Reply, furnish

pytestmark = pytest.mark.anyio

REDIS_DB = 10
BURST = 60
VEHICLE = {"registration_number": "MH12AB1234"}


@dataclass
class Replicas:
    """Two servers, and the product as seen through each."""

    servers: list[ServerProcess]
    here: Product
    there: Product


@pytest.fixture(scope="module")
def replicas(
    templates: Templates,
    booking_url: str,
    ledger: Ledger,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("replicas")
    with Redis(port=6379, db=REDIS_DB) as redis:
        redis.flushdb()
    with templates.clone("postgresql") as url:
        settings = settings_for(url)
        keys = asyncio.run(furnish(settings, booking_url=booking_url))
        env = environment(
            url,
            folder,
            REDIS_URL=f"redis://127.0.0.1:6379/{REDIS_DB}",
            MSIL_RATE_PER_PRINCIPAL="0.01",
            MSIL_RATE_BURST=str(BURST),
        )
        with server_processes(env, folder, count=2) as servers:
            here, there = (
                Product(settings, booking_url, url=server.url, keys=keys) for server in servers
            )
            asyncio.run(publish(here, ledger))
            yield Replicas(servers, here, there)


async def issue(product: Product, name: str) -> tuple[int, str]:
    """A new key of role user: its id and its token."""
    body = {"name": name, "roles": ["user"]}
    reply = await product.request("POST", "/api/keys", role="administrator", json=body)
    assert reply.status == 201, reply.body
    return reply.json["key"]["id"], reply.json["token"]


async def test_a_change_through_one_is_seen_at_the_other_within_a_second(
    replicas: Replicas,
) -> None:
    async def listed() -> bool:
        """the tool is listed at the other replica"""
        found = await replicas.there.request("GET", "/api/tools")
        return "get_nearby_dealers" in {tool["name"] for tool in found.json["items"]}

    async def gone() -> bool:
        """the tool is gone at the other replica"""
        return not await listed()

    for enabled, seen in ((False, gone), (True, listed)):
        changed = await replicas.here.request(
            "PATCH",
            "/api/tools/get_nearby_dealers",
            role="administrator",
            json={"enabled": enabled},
        )
        assert changed.status == 200, changed.body
        await eventually(seen, within=1)


async def test_a_key_made_at_one_works_at_the_other_until_it_is_revoked(
    replicas: Replicas,
) -> None:
    number, token = await issue(replicas.here, "travels")

    async def status() -> int:
        headers = {"Authorization": f"Bearer {token}"}
        reply = await replicas.there.request("GET", "/api/tools", role=None, headers=headers)
        return reply.status

    async def accepted() -> bool:
        return await status() == 200

    async def refused() -> bool:
        return await status() == 401

    await eventually(accepted, within=1)
    path = f"/api/keys/{number}"
    revoked = await replicas.here.request("DELETE", path, role="administrator")
    assert revoked.status in {200, 204}, revoked.body
    await eventually(refused, within=1)


async def test_a_rate_holds_over_both(replicas: Replicas) -> None:
    _, token = await issue(replicas.here, "eager")
    products = [
        Product(one.settings, one.booking_url, url=one.url, keys={"user": token})
        for one in (replicas.here, replicas.there)
    ]

    async def known_everywhere() -> bool:
        found = await asyncio.gather(*(one.request("GET", "/api/tools") for one in products))
        return all(reply.status == 200 for reply in found)

    await eventually(known_everywhere, within=1)
    replies = []
    for _ in range(BURST // 2 + 5):
        replies += await asyncio.gather(*(one.call("resolve_vehicle", VEHICLE) for one in products))
    passed = sum(reply.status == 200 for reply in replies)
    assert {reply.status for reply in replies} == {200, 429}
    assert BURST <= passed <= BURST + 1


async def begun(product: Product, ledger: Ledger, tool: str) -> "asyncio.Task[Any]":
    """A keyed and agreed write whose effect has happened and whose answer has not come."""
    arguments = {"text": tool}
    await agreed(product, tool, arguments, key=f"once-{tool}")
    ledger.hold()
    call = asyncio.create_task(product.call(tool, arguments, key=f"once-{tool}"))
    assert await asyncio.to_thread(ledger.arrived.wait, 10), "the write did not arrive upstream"
    return call


async def repeat(product: Product, tool: str) -> Reply:
    return await product.call(tool, {"text": tool}, key=f"once-{tool}")


async def final_answer(product: Product, tool: str) -> Reply:
    """What the repeated write is answered once the dead server's lease on it has ended."""

    async def settled() -> bool:
        return (await repeat(product, tool)).json.get("error") != "call_in_flight"

    await eventually(settled, within=10, every=0.5)
    return await repeat(product, tool)


async def check_nothing_happened_twice(product: Product, ledger: Ledger) -> None:
    """Repeat both writes, whose server was killed, until each has its final answer."""

    kept = await final_answer(product, KEPT)
    assert (kept.status, kept.json.get("structured")) == (200, {"number": 1, "text": KEPT})
    plain = await final_answer(product, PLAIN)
    assert (plain.status, plain.json["error"]) == (409, "outcome_unknown")
    assert sorted(ledger.entries) == sorted([KEPT, PLAIN])
    sent = [request.get("idempotency-key") for request in ledger.requests]
    with_key = [key for key in sent if key]
    assert (len(with_key), len(set(with_key)), sent.count(None)) == (2, 1, 1)
    verified = await product.request("POST", "/api/audit/verify", role="auditor")
    assert verified.json["intact"] is True, verified.body


async def test_a_write_of_a_killed_replica_is_finished_by_the_other_or_not_sent_again(
    replicas: Replicas, ledger: Ledger
) -> None:
    ledger.requests.clear()
    ledger.entries.clear()
    calls = [await begun(replicas.here, ledger, tool) for tool in (KEPT, PLAIN)]
    replicas.servers[0].kill()
    ledger.release()
    broken = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, aiohttp.ClientError) for one in broken), broken
    in_flight = await repeat(replicas.there, KEPT)
    assert (in_flight.status, in_flight.json["error"]) == (409, "call_in_flight")
    await check_nothing_happened_twice(replicas.there, ledger)


async def test_a_write_of_a_killed_server_is_finished_after_its_restart_on_sqlite(
    templates: Templates, booking_url: str, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.requests.clear()
    ledger.entries.clear()
    with templates.clone("sqlite") as url:
        settings = settings_for(url)
        keys = await furnish(settings, booking_url=booking_url)
        env = environment(url, tmp_path)
        with server_processes(env, tmp_path) as [first]:
            product = Product(settings, booking_url, url=first.url, keys=keys)
            await publish(product, ledger)
            calls = [await begun(product, ledger, tool) for tool in (KEPT, PLAIN)]
            first.kill()
            ledger.release()
            await asyncio.gather(*calls, return_exceptions=True)
        with server_processes(env, tmp_path) as [second]:
            again = Product(settings, booking_url, url=second.url, keys=keys)
            at_once = await repeat(again, KEPT)
            assert at_once.status == 200, at_once.body
            await check_nothing_happened_twice(again, ledger)
