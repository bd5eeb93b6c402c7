import asyncio

import aiohttp
import pytest

from msil_mcp.observability.health import router
from msil_mcp.observability.readiness import CheckResult, Readiness, Unhealthy
from msil_mcp.principal import ROUTE_PERMISSION
from msil_mcp.settings import Settings
from observability.serving import Watched, serving, watched_app

pytestmark = pytest.mark.anyio


async def get(client: aiohttp.ClientSession, url: str) -> tuple[int, dict[str, object]]:
    async with client.get(url) as response:
        return response.status, await response.json()


async def healthy() -> CheckResult:
    return "healthy"


async def disabled() -> CheckResult:
    return "disabled"


async def test_health_has_the_documented_shape(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    status, body = await get(client, watched.url + "/health")
    system = body.pop("system")
    assert status == 200
    assert set(body) == {"status", "service", "version", "uptime_seconds"}
    assert (body["status"], body["service"]) == ("healthy", "MSIL MCP Server")
    assert isinstance(system, dict)
    assert set(system) == {
        *("cpu_percent", "memory_percent", "memory_available_mb", "disk_percent", "disk_free_gb")
    }


async def test_health_is_answered_while_no_dependency_is(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    never = asyncio.Event()

    async def hangs() -> CheckResult:
        await never.wait()
        return "healthy"

    watched.readiness.register("database", hangs)
    asking = asyncio.create_task(get(client, watched.url + "/ready"))
    assert (await get(client, watched.url + "/health"))[0] == 200
    assert not asking.done()
    never.set()
    assert (await asking)[0] == 200


async def test_ready_reports_every_dependency(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    watched.readiness.register("database", healthy)
    watched.readiness.register("redis", disabled)
    assert await get(client, watched.url + "/ready") == (
        200,
        {"status": "ready", "checks": {"database": "healthy", "redis": "disabled"}},
    )


async def test_an_unhealthy_dependency_is_503_unless_it_is_optional(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    async def broken() -> CheckResult:
        raise OSError("connection refused")

    watched.readiness.register("redis", broken, required=False)
    assert await get(client, watched.url + "/ready") == (
        200,
        {"status": "ready", "checks": {"redis": "unhealthy"}},
    )
    watched.readiness = watched.app.state.readiness = Readiness()
    watched.readiness.register("database", broken)
    assert await get(client, watched.url + "/ready") == (
        503,
        {"status": "not_ready", "checks": {"database": "unhealthy"}},
    )


async def test_draining_is_not_ready_at_once(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    watched.readiness.register("database", healthy)
    assert (await get(client, watched.url + "/ready"))[0] == 200
    watched.readiness.draining = True
    assert await get(client, watched.url + "/ready") == (
        503,
        {"status": "not_ready", "checks": {"database": "healthy"}},
    )


async def test_a_check_that_hangs_counts_as_unhealthy_and_delays_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("msil_mcp.observability.readiness.CHECK_SECONDS", 0.05)
    readiness = Readiness()

    async def hangs() -> CheckResult:
        await asyncio.Event().wait()
        return "healthy"

    readiness.register("database", hangs)
    readiness.register("other", hangs, required=False)
    readiness.register("bus", healthy)
    async with asyncio.timeout(1):
        report = await readiness.report()
    assert report.checks == {"database": "unhealthy", "other": "unhealthy", "bus": "healthy"}
    assert not report.ready


async def test_many_probes_ask_once_and_recovery_is_seen(
    monkeypatch: pytest.MonkeyPatch, events: list[dict[str, object]]
) -> None:
    readiness = Readiness()
    asked = 0
    state: CheckResult = "unhealthy"

    async def check() -> CheckResult:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)
        return state

    readiness.register("database", check)
    reports = await asyncio.gather(*(readiness.report() for _ in range(50)))
    assert asked == 1
    assert not any(report.ready for report in reports)
    state = "healthy"
    assert not (await readiness.report()).ready
    monkeypatch.setattr("msil_mcp.observability.readiness.FRESH_SECONDS", -1)
    assert (await readiness.report()).ready
    assert [event["now"] for event in events] == ["unhealthy", "healthy"]


async def test_metrics_are_open_by_default_and_in_the_format_asked_for(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    async with client.get(watched.url + "/metrics") as response:
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "database_connections_active 0.0" in await response.text()
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    async with client.get(watched.url + "/metrics", headers=accept) as response:
        assert response.headers["content-type"].startswith("application/openmetrics-text")
        assert (await response.text()).endswith("# EOF\n")


async def test_metrics_with_a_token_are_for_whoever_has_it(client: aiohttp.ClientSession) -> None:
    _, app = watched_app(Settings(_env_file=None, metrics_token="scrape-me"))
    async with serving(app) as url:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "scrape-me"}):
            async with client.get(url + "/metrics", headers=headers) as response:
                assert response.status == 401
                assert response.headers["WWW-Authenticate"] == "Bearer"
                assert (await response.json())["code"] == "metrics_token_required"
        right = {"Authorization": "Bearer scrape-me"}
        async with client.get(url + "/metrics", headers=right) as response:
            assert response.status == 200


async def test_every_route_declares_that_it_is_public() -> None:
    for route in router.routes:
        guards = [dependency.dependency for dependency in route.dependencies]
        assert [getattr(guard, ROUTE_PERMISSION) for guard in guards] == ["public"]


async def test_a_check_leaves_its_latency_and_its_last_trouble() -> None:
    readiness = Readiness()
    broken = True

    async def sometimes() -> CheckResult:
        if broken:
            raise Unhealthy("the cable is cut")
        return "healthy"

    readiness.register("database", sometimes)
    assert (await readiness.report()).ready is False
    seen = readiness.sightings.of("check")["database"]
    assert (seen.error, seen.answered_at, seen.is_failing) == ("the cable is cut", None, True)
    broken = False
    await readiness._ask()
    assert (await readiness.report()).ready is True
    assert seen.seconds is not None
    assert (seen.error, seen.is_failing) == ("the cable is cut", False)
