"""Replicas behind a load balancer without stickiness: any may go, by a kill or by a stop."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from redis import Redis

from bare_client import MODERN, Talk
from chat.conversing import Conversation, by_model, numbers, opened
from databases import Templates, settings_for
from msil_mcp.llm.scripted.server import create_app as create_model
from product.doors import call_by_mcp
from product.forking import Nursery
from product.fronting import Front, fronted
from product.orders import order
from product.polling import eventually
from product.processes import ServerProcess, environment
from running import Product, furnish, serving

pytestmark = pytest.mark.anyio

REPLICAS = int(os.environ.get("MSIL_REPLICAS", "2"))
REQUESTS = int(os.environ.get("MSIL_REQUESTS", "600"))
"""How many there are at least during a rolling restart; `make scale-out` asks for 10,000."""
AT_ONCE = 3
LEAVE_SECONDS = 3.0
DRAINED_WITHIN = 30.0
REDIS_DB = 11
VEHICLE = {"registration_number": "MH12AB1234"}
WRITE = "create_service_booking"


@dataclass
class Fleet:
    """The servers that live, the front before them, and the product as seen through it."""

    product: Product
    front: Front
    begin: Callable[[], ServerProcess]
    servers: list[ServerProcess] = field(default_factory=list)

    def through(self, server: ServerProcess) -> Product:
        return Product(self.product.settings, "", url=server.url, keys=self.product.keys)

    async def replace(self, server: ServerProcess) -> None:
        """Another server joins, and is given requests."""
        new = await asyncio.to_thread(self.begin)
        await asyncio.to_thread(new.wait_until_ready)
        await asyncio.to_thread(self.front.add, new)
        self.servers[self.servers.index(server)] = new


def ended(server: ServerProcess) -> None:
    with suppress(Exception):
        server.kill()


@pytest.fixture(scope="module")
def fleet(
    templates: Templates, booking_url: str, tmp_path_factory: pytest.TempPathFactory, nginx: str
) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    with Redis(port=6379, db=REDIS_DB) as redis:
        redis.flushdb()
    with (
        templates.clone("postgresql") as url,
        serving(create_model(pace_seconds=0.02)) as (model, _),
        ExitStack() as stack,
    ):
        settings = settings_for(url, **by_model(f"{model}/v1"))
        keys = asyncio.run(furnish(settings, booking_url=booking_url))
        env = environment(
            url,
            folder,
            REDIS_URL=f"redis://127.0.0.1:6379/{REDIS_DB}",
            OPENAI_API_KEY="none",
            OPENAI_BASE_URL=f"{model}/v1",
            OPENAI_MODEL="openai:msil-scripted",
            MSIL_RATE_PER_PRINCIPAL="0",
            MSIL_LEAVE_SECONDS=str(LEAVE_SECONDS),
        )
        nursery = Nursery()

        def begin() -> ServerProcess:
            server = nursery.start(env, folder)
            stack.callback(ended, server)
            return server

        servers = [begin() for _ in range(REPLICAS)]
        for server in servers:
            server.wait_until_ready()
        front = stack.enter_context(fronted(nginx, folder, servers))
        product = Product(settings, booking_url, url=front.url, keys=keys)
        yield Fleet(product, front, begin, servers)


@pytest.fixture(scope="module")
def nginx() -> str:
    for path in ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/opt/homebrew/bin/nginx"):
        if Path(path).exists():
            return path
    if os.environ.get("MSIL_REQUIRE_ALL") == "1":
        pytest.fail("nginx is not installed, and MSIL_REQUIRE_ALL=1 asks for all parts")
    pytest.skip("nginx is not installed")


def session_of(fleet: Fleet, version: str) -> Talk:
    talk = Talk(f"{fleet.product.url}/mcp", version, extra=fleet.product.headers())
    talk.begin()
    return talk


def check_session(talk: Talk) -> None:
    """As often as it takes to be answered by each server."""
    for _ in range(2 * REPLICAS):
        assert talk.ask("tools/list").status == 200
    assert "isError" not in talk.call("resolve_vehicle", VEHICLE).result


async def asked(fleet: Fleet, time_of_day: str) -> tuple[dict[str, Any], str]:
    """A write that waits for a person: its arguments, and the approval."""
    arguments = order(appointment_time=time_of_day)
    reply = await fleet.product.call(WRITE, arguments, key=f"scale-{time_of_day}")
    assert reply.status == 202, reply.body
    return arguments, reply.json["confirmation"]["approval_id"]


async def check_approval(fleet: Fleet, arguments: dict[str, Any], approval: str) -> None:
    path = f"/api/approvals/{approval}/decision"
    body = {"decision": "approve"}
    said = await fleet.product.request("POST", path, role="administrator", json=body)
    assert said.status == 200, said.body
    key = f"scale-{arguments['appointment_time']}"
    made = [await fleet.product.call(WRITE, arguments, key=key) for _ in range(2 * REPLICAS)]
    assert {reply.status for reply in made} == {200}, made[0].body
    assert len({reply.json["structured"]["booking_id"] for reply in made}) == 1


async def tail_to_its_end(talk: Conversation, victim: ServerProcess) -> list[int]:
    """The numbers of a turn's events, over the death of a server and a new connection."""
    heard: list[int] = []
    last: str | None = None
    killed = False
    for _ in range(20):
        try:
            async with talk.following(after=last) as events:
                async for event in events:
                    if event.data == "[DONE]":
                        return heard
                    last = event.number or last
                    heard += numbers([event])
                    if not killed and len(heard) >= 3:
                        killed = True
                        await asyncio.to_thread(victim.kill)
        except (aiohttp.ClientError, ConnectionError, AssertionError):
            await asyncio.sleep(0.1)
    raise AssertionError(f"the stream never ended; heard {heard}")


async def check_snapshots(fleet: Fleet) -> None:
    """A change through the front reaches each server within a second."""
    for enabled in (False, True):
        changed = await fleet.product.request(
            "PATCH",
            "/api/tools/get_nearby_dealers",
            role="administrator",
            json={"enabled": enabled},
        )
        assert changed.status == 200, changed.body

        async def seen(enabled: bool = enabled) -> bool:
            """every server lists the tool, or does not"""
            for server in fleet.servers:
                reply = await fleet.through(server).request("GET", "/api/tools")
                names = {tool["name"] for tool in reply.json["items"]}
                if ("get_nearby_dealers" in names) != enabled:
                    return False
            return True

        await eventually(seen, within=2)


async def test_whichever_server_is_killed_what_was_begun_goes_on(fleet: Fleet) -> None:
    for number, victim in enumerate(list(fleet.servers)):
        sessions = [
            await asyncio.to_thread(session_of, fleet, version)
            for version in ("2025-11-25", MODERN)
        ]
        arguments, approval = await asked(fleet, ("09:30", "10:30", "11:00", "14:30")[number % 4])
        talk = await opened(fleet.product)
        await talk.begin("Which services do you offer, and which dealers are near Hinjewadi, Pune?")
        heard = await tail_to_its_end(talk, victim)
        assert heard == sorted(set(heard)), "an event was lost in order, or came twice"
        await asyncio.to_thread(fleet.front.wait_until_listed, victim, listed=False)

        for session in sessions:
            await asyncio.to_thread(check_session, session)
        await check_approval(fleet, arguments, approval)
        again = await talk.say("Which car is MH12AB1234?")
        assert again["state"] == "succeeded", again
        await fleet.replace(victim)
        await check_snapshots(fleet)
    verified = await fleet.product.request("POST", "/api/audit/verify", role="auditor")
    assert verified.json["intact"] is True, verified.body


@dataclass
class Load:
    """Requests without end, each on a connection of its own, until it is told to stop."""

    fleet: Fleet
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def person(self, number: int) -> None:
        product = self.fleet.product
        doors = (
            lambda: product.call("resolve_vehicle", VEHICLE),
            lambda: call_by_mcp(product, "resolve_vehicle", VEHICLE),
            lambda: product.request("GET", "/api/tools"),
        )
        while not self.stop.is_set():
            number += 1
            try:
                reply = await doors[number % len(doors)]()
            except (aiohttp.ClientError, OSError) as error:
                self.failures.append(repr(error))
            else:
                if reply.status != 200 or b'"isError":true' in reply.body:
                    self.failures.append(f"{reply.status} {reply.body[:200]!r}")
            self.answered += 1


async def test_a_rolling_restart_under_load_fails_no_request(fleet: Fleet) -> None:
    load = Load(fleet)
    people = [asyncio.create_task(load.person(number)) for number in range(AT_ONCE)]
    drains: list[float] = []
    while load.answered < REQUESTS or len(drains) < REPLICAS:
        for old in list(fleet.servers):
            await fleet.replace(old)
            before = load.answered
            told = time.monotonic()
            old.process.terminate()
            await asyncio.to_thread(fleet.front.wait_until_listed, old, listed=False)
            await asyncio.to_thread(old.process.wait, DRAINED_WITHIN)
            drains.append(time.monotonic() - told)
            assert old.process.poll() is not None, "it was still there"
            assert load.answered > before
            said = fleet.front.answers[old.url]
            assert said[said.index(200) + 1] == 503, f"the listener closed first: {said}"
    load.stop.set()
    await asyncio.gather(*people)
    print(
        f"{load.answered:,} requests over {REPLICAS} servers while {len(drains)} were replaced: "
        f"{len(load.failures)} failed; the longest stop took {max(drains):.1f} s"
    )
    assert load.failures == []
    assert max(drains) <= DRAINED_WITHIN
