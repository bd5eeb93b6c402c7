"""People and programs watch what happens over a WebSocket."""

import asyncio
import itertools
import random
import timeit
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from databases import Templates, settings_for
from events.watching import SECONDS, Watcher, watching
from msil_mcp.audit import events_api, feed
from msil_mcp.audit.feed import TOPIC, LiveFeed
from msil_mcp.audit.records import AuditRecord
from msil_mcp.bus import MemoryBus, PostgresBus
from msil_mcp.db.database import Database, database_url
from product.orders import order
from product.polling import eventually
from running import Product
from running import product as running_product

pytestmark = pytest.mark.anyio

PLATE = {"registration_number": "MH12AB1234"}
plates = (f"MH12AB{number:04}" for number in itertools.count(5000))


def new_order() -> dict[str, str]:
    return order(notes=f"call {next(plates)}")


async def closing(watcher: Watcher) -> ConnectionClosed:
    """Reads on until the server has closed the connection."""
    async with asyncio.timeout(20):
        while True:
            try:
                await watcher.connection.recv()
            except ConnectionClosed as closed:
                return closed


async def test_a_call_is_told_masked_after_it_was_made(shared_product: Product) -> None:
    async with watching(shared_product) as watcher:
        reply = await shared_product.call("resolve_customer", {"mobile": "9876543210"})
        (event,) = await watcher.expect("tool.called")
    data = event["data"]
    assert (data["tool"], data["outcome"], data["origin"]) == (
        "resolve_customer",
        "succeeded",
        "rest",
    )
    assert data["correlation_id"] == reply.headers["x-correlation-id"]
    assert "9876543210" not in msgspec.json.encode(event).decode()
    assert data["arguments"]["mobile"].endswith("10")
    assert "subjects" not in data
    assert "concerns" not in event


async def test_each_sees_what_its_permissions_and_its_own_calls_allow(
    shared_product: Product,
) -> None:
    product = shared_product
    async with (
        watching(product, "operator") as everything,
        watching(product, "user") as own,
        watching(product, "integrator") as other,
    ):
        await product.call("resolve_vehicle", PLATE, role="administrator")
        asked = await product.call("create_service_booking", new_order(), key=f"k-{next(plates)}")
        approval = asked.json["confirmation"]["approval_id"]
        await product.request(
            "POST",
            f"/api/approvals/{approval}/decision",
            role="administrator",
            json={"decision": "decline", "reason": "not today"},
        )
        await product.call("no_such_tool", {})
        await product.call("resolve_vehicle", PLATE)
        seen = "tool.called", "approval.requested", "approval.decided", "tool.called"
        assert len(await everything.expect(*seen)) == len(await other.expect(*seen))
        requested, decided, _ = await own.expect(*seen[1:])
    assert decided["data"]["target"] == approval
    assert requested["data"]["approval_id"] == approval
    assert decided["data"]["details"]["state"] == "declined"


async def test_one_caller_watches_only_so_often_and_others_still_do(
    shared_product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_OF_ONE", 2)
    async with watching(shared_product), watching(shared_product) as second:
        async with watching(shared_product, ready=False) as third:
            closed = await closing(third)
            assert closed.rcvd is not None
            assert closed.rcvd.code == events_api.TRY_AGAIN
        async with watching(shared_product, "administrator"):
            pass
        await second.connection.close()

        async def there_is_room() -> bool:
            async with watching(shared_product, ready=False) as again:
                try:
                    return (await again.next())["type"] == "ready"
                except ConnectionClosed:
                    return False

        await eventually(there_is_room, within=5)


async def test_approvals_are_seen_by_who_may_read_approvals_alone(shared_product: Product) -> None:
    product = shared_product
    role = {"name": "approver", "permissions": ["approvals:read", "profile:read"]}
    await product.request("POST", "/api/roles", role="administrator", json=role)
    made = await product.request(
        "POST", "/api/keys", role="administrator", json={"name": "a", "roles": ["approver"]}
    )
    key, number = made.json["token"], made.json["key"]["id"]
    headers = {"X-API-Key": key}
    async with watching(product, headers=headers) as approver:
        await product.call("resolve_vehicle", PLATE)
        await product.call("create_service_booking", new_order(), key=f"k-{next(plates)}")
        await approver.expect("approval.requested")

        await product.request("DELETE", f"/api/keys/{number}", role="administrator")
        ended = asyncio.create_task(closing(approver))
        while not ended.done():
            await product.call("create_service_booking", new_order(), key=f"k-{next(plates)}")
        assert (await ended).rcvd.code == 4003


async def test_administration_is_told(shared_product: Product) -> None:
    product = shared_product
    async with watching(product) as watcher:
        for enabled in (False, True):
            reply = await product.request(
                "PATCH",
                "/api/tools/get_nearby_dealers",
                role="administrator",
                json={"enabled": enabled},
            )
            assert reply.status == 200, reply.body
        disabled, enabled = await watcher.expect("tool.disabled", "tool.enabled")
    assert disabled["data"]["target"] == enabled["data"]["target"] == "get_nearby_dealers"
    assert enabled["sequence"] > disabled["sequence"]


async def test_coming_back_misses_nothing_that_is_kept(shared_product: Product) -> None:
    product = shared_product
    async with watching(product) as watcher:
        await product.call("resolve_vehicle", PLATE)
        await watcher.expect("tool.called")
    for _ in range(5):
        await product.call("resolve_vehicle", PLATE)
    async with watching(product, after=watcher.last, ready=False) as again:
        # Calls are told a moment after they are answered: `ready` may come among them.
        told = [await again.next() for _ in range(6)]
        await product.call("resolve_vehicle", PLATE)
        told.append(await again.next())
    types = [message["type"] for message in told]
    assert (types.count("tool.called"), types.count("ready")) == (6, 1)
    sequences = [message["sequence"] for message in told]
    assert sequences == sorted(set(sequences))
    assert sequences[0] > watcher.last


@pytest.mark.parametrize("after", [0, 9_000_000_000_000_000])
async def test_what_cannot_be_replayed_is_said_aloud(shared_product: Product, after: int) -> None:
    async with watching(shared_product, after=after, ready=False) as watcher:
        assert (await watcher.next())["type"] == "gap"
        while (await watcher.next())["type"] != "ready":
            pass
        await shared_product.call("resolve_vehicle", PLATE)
        await watcher.expect("tool.called")


async def test_a_stranger_and_another_site_are_refused_at_the_handshake(
    shared_product: Product,
) -> None:
    product = shared_product
    login = {"username": "watcher", "password": "a long enough secret"}
    made = await product.request(
        "POST",
        "/api/users",
        role="administrator",
        json={**login, "display_name": "Watcher", "roles": ["operator"]},
    )
    assert made.status in {201, 409}, made.body
    signed_in = await product.request("POST", "/api/auth/login", role=None, json=login)
    cookie = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    async with watching(product, headers={**cookie, "Origin": product.url}) as watcher:
        await product.call("resolve_vehicle", PLATE)
        await watcher.expect("tool.called")

    for headers, status, code in (
        ({}, 401, "no_credential"),
        ({**cookie, "Origin": "https://elsewhere.example"}, 403, "cross_site_request"),
        ({"Authorization": "Bearer msil_nonsense"}, 401, "invalid_api_key"),
    ):
        with pytest.raises(InvalidStatus) as refused:
            async with watching(product, headers=headers):
                pass
        response = refused.value.response
        assert response.status_code == status
        assert msgspec.json.decode(response.body)["code"] == code


@pytest.fixture
def product(templates: Templates, booking_url: str) -> Iterator[Product]:
    with (
        templates.clone("sqlite") as url,
        running_product(settings_for(url), booking_url=booking_url) as running,
    ):
        yield running


async def test_a_slow_reader_is_told_so_and_disturbs_nobody(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_api, "SEND_SECONDS", 0.2)
    filler = random.Random(1).randbytes(100_000).hex()
    payload = msgspec.json.encode(
        {"type": "tool.called", "at": "2026-01-01T00:00:00Z", "data": {"filler": filler}}
    )
    feed = product.app.state.live_feed
    async with (
        watching(product, compression=None, max_queue=1) as slow,
        watching(product, compression=None) as quick,
    ):
        while feed.watchers == 2:
            product.server.submit(feed._bus.publish(TOPIC, payload))
            await quick.expect("tool.called")
        closed = await closing(slow)
        assert closed.rcvd.code == 4008
        assert "faster than they were read" in closed.rcvd.reason
        await product.call("resolve_vehicle", PLATE)
        await quick.expect("tool.called")


async def test_a_stopping_server_ends_the_watching(product: Product) -> None:
    async with watching(product) as watcher:
        product.server.should_exit = True
        assert (await closing(watcher)).rcvd.code == 1012


async def test_nobody_watching_costs_a_call_next_to_nothing() -> None:
    feed = LiveFeed(MemoryBus())
    record = AuditRecord(kind="tool.call", action="tools/call", outcome="succeeded", risk="read")
    rounds = 20_000
    seconds = min(timeit.repeat(lambda: feed.note(record), number=rounds, repeat=5))
    assert seconds / rounds < 5e-6


async def test_what_happened_unwatched_is_a_gap_for_who_comes_back() -> None:
    bus = MemoryBus()
    await bus.start()
    feed = LiveFeed(bus, watching_seconds=0.02)
    await feed.start()
    record = AuditRecord(kind="tool.call", action="tools/call", outcome="succeeded", risk="read")
    async with asyncio.timeout(SECONDS):
        async with feed.watching(after=None) as events:
            first = await anext(events)
            feed.note(record)
            while (told := await anext(events)).event.type == "ping":
                pass
            assert told.event.type == "tool.called"
        assert first.event.type == "ready"

        async def nobody_wants_to_know() -> bool:
            return not feed._wanted

        await eventually(nobody_wants_to_know, within=5)
        feed.note(record)
        async with feed.watching(after=told.sequence) as events:
            while (gap := await anext(events)).event.type in {"ping", "ready"}:
                pass
            assert gap.event.type == "gap"
            assert set(gap.event.data) == {"since", "until"}
        feed.note(record)
        async with feed.watching(after=None) as events:
            await anext(events)
            feed.note(record)
            while (fresh := await anext(events)).event.type == "ping":
                pass
            assert fresh.event.type == "tool.called"
    await feed.close()
    await bus.close()


async def test_a_watcher_at_one_replica_hears_what_happens_at_another(templates: Templates) -> None:
    record = AuditRecord(kind="tool.call", action="tools/call", outcome="succeeded", risk="read")
    async with AsyncExitStack() as stack:
        url = stack.enter_context(templates.clone("postgresql"))
        here, there = [await stack.enter_async_context(replica(url)) for _ in range(2)]
        there.note(record)

        async def knows_of_the_watcher() -> bool:
            return there._wanted

        async with here.watching(after=None) as events:
            await eventually(knows_of_the_watcher, within=5)
            there.note(record)
            async with asyncio.timeout(SECONDS):
                heard = [await anext(events), await anext(events)]
        # What nobody watched before is no gap to who comes afterwards.
        assert [one.event.type for one in heard] == ["ready", "tool.called"]


@asynccontextmanager
async def replica(url: str) -> AsyncIterator[LiveFeed]:
    database = Database(database_url(settings_for(url)))
    bus = PostgresBus(database)
    await bus.start()
    feed = LiveFeed(bus)
    await feed.start()
    try:
        yield feed
    finally:
        await feed.close()
        await bus.close()
        await database.close()
