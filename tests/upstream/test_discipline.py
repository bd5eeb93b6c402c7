import asyncio

import pytest

from egress.servers import RawServer, answer, in_turn, then_closes, then_hangs, unused_port
from msil_mcp.upstream import Discipline, UpstreamInvoker
from upstream.calls import call, tool
from upstream.conftest import Build

pytestmark = pytest.mark.anyio


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("trouble", [answer(502), answer(503), answer(504), then_closes()])
async def test_read_is_repeated_once_after_a_passing_trouble(
    invoker: UpstreamInvoker, server: RawServer, trouble: object
) -> None:
    server.on("/a", in_turn(trouble, answer(200, b"{}")))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.outcome, len(server.seen)) == ("succeeded", 2)


async def test_read_is_repeated_no_more_than_once(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    server.on("/a", answer(503))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.error, len(server.seen)) == ("upstream_error", 2)


@pytest.mark.parametrize("trouble", [answer(500), answer(503, headers={"Retry-After": "9"})])
async def test_read_is_not_repeated_when_that_cannot_help(
    invoker: UpstreamInvoker, server: RawServer, trouble: object
) -> None:
    server.on("/a", in_turn(trouble, answer(200, b"{}")))
    assert (await invoker.invoke(call(tool(server.url)))).outcome == "failed"
    assert len(server.seen) == 1


@pytest.mark.parametrize("trouble", [answer(503), then_closes()])
async def test_write_is_never_repeated(
    invoker: UpstreamInvoker, server: RawServer, trouble: object
) -> None:
    server.on("/a", in_turn(trouble, answer(200, b"{}")))
    version = tool(server.url, method="PUT", write=True, idempotent=True)
    await invoker.invoke(call(version, idempotency_key="k"))
    assert len(server.seen) == 1


async def test_retries_stay_within_their_budget(build: Build, server: RawServer) -> None:
    server.on("/a", answer(503))
    invoker = build(discipline=Discipline(failures_to_open=1000))
    await asyncio.gather(*(invoker.invoke(call(tool(server.url))) for _ in range(60)))
    assert 60 < len(server.seen) <= 60 + 24


async def test_circuit_opens_after_failures_in_a_row_and_closes_by_one_probe(
    build: Build, server: RawServer
) -> None:
    clock = Clock()
    discipline = Discipline(failures_to_open=3, open_seconds=10, clock=clock)
    invoker = build(discipline=discipline)
    server.on("/a", answer(503))
    version = tool(server.url, method="POST", write=True)
    for _ in range(3):
        assert (await invoker.invoke(call(version))).error == "upstream_error"
    paused = await invoker.invoke(call(version))
    assert (paused.outcome, paused.error) == ("failed", "upstream_circuit_open")
    assert paused.retry_after == pytest.approx(10.0)
    assert len(server.seen) == 3
    assert discipline.open_circuits() == {"127.0.0.1": 1.0}

    clock.now += 10.1
    server.on("/a", answer(200, b"{}"))
    assert (await invoker.invoke(call(version))).outcome == "succeeded"
    assert (await invoker.invoke(call(version))).outcome == "succeeded"
    assert discipline.open_circuits() == {"127.0.0.1": 0.0}


async def test_half_open_circuit_lets_one_probe_through_and_opens_again_when_it_fails(
    build: Build, server: RawServer
) -> None:
    clock = Clock()
    invoker = build(discipline=Discipline(failures_to_open=1, open_seconds=10, clock=clock))
    version = tool(server.url, method="POST", write=True)
    server.on("/a", answer(503))
    await invoker.invoke(call(version))
    clock.now += 10.1
    server.on("/a", in_turn(then_hangs(server)))
    server.arrived.clear()
    probe = asyncio.create_task(invoker.invoke(call(version)))
    await server.arrived.wait()
    assert (await invoker.invoke(call(version))).error == "upstream_circuit_open"
    probe.cancel()
    await asyncio.gather(probe, return_exceptions=True)

    server.on("/a", answer(503))
    assert (await invoker.invoke(call(version))).error == "upstream_error"
    assert (await invoker.invoke(call(version))).error == "upstream_circuit_open"


async def test_refusals_and_impatient_callers_do_not_open_the_circuit(
    build: Build, server: RawServer
) -> None:
    invoker = build(discipline=Discipline(failures_to_open=1))
    server.on("/a", in_turn(answer(404), then_hangs(server), answer(200, b"{}")))
    assert (await invoker.invoke(call(tool(server.url)))).error == "upstream_rejected"
    assert (await invoker.invoke(call(tool(server.url), seconds=0.05))).error == "upstream_timeout"
    assert (await invoker.invoke(call(tool(server.url)))).outcome == "succeeded"


async def test_full_bulkhead_refuses_and_other_services_are_unaffected(
    build: Build, server: RawServer
) -> None:
    invoker = build(discipline=Discipline(concurrent=1))
    server.on("/a", then_hangs(server))
    running = asyncio.create_task(invoker.invoke(call(tool(server.url))))
    await server.arrived.wait()
    busy = await invoker.invoke(call(tool(server.url)))
    assert (busy.outcome, busy.error, busy.retry_after) == ("failed", "upstream_busy", 1.0)
    other = await invoker.invoke(call(tool(f"http://127.0.0.1:{unused_port()}")))
    assert other.error == "upstream_unreachable"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
