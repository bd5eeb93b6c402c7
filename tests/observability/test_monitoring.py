import asyncio
import re
import time
from collections.abc import MutableMapping
from typing import Any

import aiohttp
import pytest

from msil_mcp.observability.context import correlation_id
from msil_mcp.observability.monitoring import MonitoringMiddleware
from msil_mcp.settings import Settings
from observability.serving import Lost, Watched, serving, watched_app

pytestmark = pytest.mark.anyio

Events = list[MutableMapping[str, Any]]


def counted(watched: Watched, method: str, endpoint: str, status: str) -> float | None:
    return watched.metrics.registry.get_sample_value(
        "http_requests_total", {"method": method, "endpoint": endpoint, "status": status}
    )


@pytest.mark.parametrize(
    ("path", "endpoint", "status"),
    [
        ("/api/chat/sessions/17", "/api/chat/sessions/{session_id}", "200"),
        ("/api/chat/sessions/not-a-number", "/api/chat/sessions/{session_id}", "422"),
        ("/api/chat/lost", "/api/chat/lost", "404"),
        ("/inner/deep/3", "/inner/deep/{depth}", "200"),
        ("/plain/any/thing", "/plain", "200"),
        ("/nothing/here", "unmatched", "404"),
    ],
)
async def test_requests_are_counted_by_route_template(
    watched: Watched, client: aiohttp.ClientSession, path: str, endpoint: str, status: str
) -> None:
    async with client.get(watched.url + path) as response:
        assert str(response.status) == status
    assert counted(watched, "GET", endpoint, status) == 1
    timed = {"method": "GET", "endpoint": endpoint}
    found = watched.metrics.registry.get_sample_value("http_request_duration_seconds_count", timed)
    assert found == 1


async def test_methods_of_no_use_here_share_one_label(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    for method in ("MKCOL", "PROPFIND"):
        async with client.request(method, watched.url + "/nothing") as response:
            assert response.status in {404, 405}
    assert counted(watched, "other", "unmatched", "404") == 2


async def test_a_correlation_id_is_kept_when_it_is_a_plain_token(
    watched: Watched, client: aiohttp.ClientSession, events: Events
) -> None:
    sent = {"X-Correlation-ID": "Order_7.b-" + "x" * 118}
    async with client.get(watched.url + "/api/chat/lost", headers=sent) as response:
        assert response.headers["X-Correlation-ID"] == sent["X-Correlation-ID"]
        assert (await response.json())["correlation_id"] == sent["X-Correlation-ID"]


@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, 'a"}{', "é", "../../etc"])
async def test_any_other_correlation_id_is_replaced(
    watched: Watched, client: aiohttp.ClientSession, sent: str
) -> None:
    headers = {"X-Correlation-ID": sent}
    async with client.get(watched.url + "/health", headers=headers) as response:
        assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Correlation-ID"])


async def test_every_request_gets_an_id_of_its_own(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    seen = set()
    for _ in range(20):
        async with client.get(watched.url + "/health") as response:
            assert len(response.headers.getall("X-Correlation-ID")) == 1
            seen.add(response.headers["X-Correlation-ID"])
    assert len(seen) == 20


@pytest.mark.parametrize("outermost", [False, True], ids=["inside Starlette's", "outermost"])
async def test_an_unexpected_error_is_a_500_that_tells_only_its_correlation_id(
    settings: Settings, client: aiohttp.ClientSession, events: Events, outermost: bool
) -> None:
    watched, app = watched_app(settings, outermost=outermost)
    async with serving(app) as url:
        async with client.get(url + "/api/chat/broken") as response:
            body = await response.text()
            assert response.status == 500
            correlation = response.headers["X-Correlation-ID"]
            if not outermost:
                assert response.content_type == "application/problem+json"
                assert correlation in (await response.json())["detail"]
        assert "hunter2" not in body
    assert counted(watched, "GET", "/api/chat/broken", "500") == 1
    (failed,) = (event for event in events if event["event"] == "request_failed")
    assert failed["log_level"] == "error"
    assert failed["exc_info"]


async def test_an_error_of_ours_outside_of_any_route_keeps_its_status(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise Lost("Nothing is kept here.")

    async with (
        serving(MonitoringMiddleware(app, metrics=watched.metrics)) as url,
        client.get(url) as response,
    ):
        assert response.status == 404
        assert (await response.json())["code"] == "lost"


async def test_a_stream_is_recorded_when_it_ends(
    watched: Watched, client: aiohttp.ClientSession, events: Events
) -> None:
    async with client.get(watched.url + "/api/chat/stream") as response:
        assert await response.content.readline() == b"first\n"
        assert counted(watched, "GET", "/api/chat/stream", "200") is None
        watched.gate.set()
        assert await response.content.readline() == b"last\n"
        assert await response.content.read() == b""
    assert counted(watched, "GET", "/api/chat/stream", "200") == 1
    assert [event["endpoint"] for event in events] == ["/api/chat/stream"]


async def test_an_event_stream_counts_with_the_time_until_it_began(
    watched: Watched, client: aiohttp.ClientSession, events: Events
) -> None:
    started = time.perf_counter()
    async with client.get(watched.url + "/api/chat/events") as response:
        began = time.perf_counter() - started
        while time.perf_counter() - started < 2 * began:
            async with client.get(watched.url + "/health") as beside:
                await beside.read()
        watched.gate.set()
        assert await response.read() == b"data: first\n\n"
    of = {"method": "GET", "endpoint": "/api/chat/events"}
    read = watched.metrics.registry.get_sample_value
    assert read("http_request_duration_seconds_count", of) == 1
    timed = read("http_request_duration_seconds_sum", of)
    assert timed is not None
    assert 0 < timed < began
    (logged,) = [event for event in events if event.get("endpoint") == "/api/chat/events"]
    assert logged["duration_ms"] > began * 1000


async def test_a_stream_that_breaks_breaks_the_connection_and_is_recorded(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    async with client.get(watched.url + "/api/chat/cut") as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()
    assert counted(watched, "GET", "/api/chat/cut", "200") == 1


async def test_a_client_that_leaves_before_the_answer_is_no_server_error(
    watched: Watched, client: aiohttp.ClientSession
) -> None:
    left = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async with serving(MonitoringMiddleware(app, metrics=watched.metrics)) as url:
        with pytest.raises(asyncio.TimeoutError):
            await client.get(url, timeout=aiohttp.ClientTimeout(total=0.05))
        await left.wait()
    assert counted(watched, "GET", "unmatched", "499") == 1


async def test_a_websocket_has_a_correlation_id_and_is_no_http_request(
    watched: Watched, client: aiohttp.ClientSession, events: Events
) -> None:
    headers = {"X-Correlation-ID": "live-1"}
    async with client.ws_connect(watched.url + "/live", headers=headers) as socket:
        assert socket._response.headers["X-Correlation-ID"] == "live-1"
        assert (await socket.receive_str()) == "live-1"
    assert events == []


async def test_concurrent_requests_do_not_see_each_others_ids() -> None:
    seen: dict[str, str] = {}
    both = asyncio.Barrier(2)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await both.wait()
        seen[scope["state"]["correlation_id"]] = correlation_id.get()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    watched, _ = watched_app(Settings(_env_file=None))
    async with (
        serving(MonitoringMiddleware(app, metrics=watched.metrics)) as url,
        aiohttp.ClientSession() as client,
    ):
        await asyncio.gather(
            *(client.get(url, headers={"X-Correlation-ID": one}) for one in ("left", "right"))
        )
    assert seen == {"left": "left", "right": "right"}
