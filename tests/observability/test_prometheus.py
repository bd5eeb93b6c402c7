"""The shipped rules and every documented query, answered by a real Prometheus."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest

from msil_mcp.settings import Settings
from observability.documented_queries import ANSWERED, EMPTY_AS_WRITTEN
from observability.prometheus_server import RULES, prometheus_scraping
from observability.serving import serving, watched_app

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "prometheus.yml"),
        ("test", "rules", "rules_test.yml"),
        ("test", "rules", "alerts_test.yml"),
    ],
    ids=[
        "configuration is valid",
        "rules give the right values for known traffic",
        "alerts go off when they should and not otherwise",
    ],
)
def test_promtool_accepts(arguments: tuple[str, ...], component: Callable[[str], str]) -> None:
    promtool = component("promtool")
    done = subprocess.run(
        [promtool, *arguments], cwd=RULES.parent, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


async def test_every_documented_query_has_data(
    client: aiohttp.ClientSession, tmp_path: Path, component: Callable[[str], str]
) -> None:
    component("prometheus")
    token = "for-the-scraper-only"
    watched, app = watched_app(Settings(_env_file=None, metrics_token=token))
    metrics = watched.metrics
    metrics.expect_tools(["resolve_vehicle", "get_booking_status"])
    metrics.expect_model("gpt-4o-mini")

    async def traffic() -> None:
        for path in ("/api/chat/sessions/7", "/api/chat/sessions/8", "/health", "/api/chat/broken"):
            async with client.get(url + path) as response:
                await response.read()
        metrics.record_tool_call("resolve_vehicle", "success", 0.004)
        metrics.record_tool_call("get_booking_status", "failed", 0.2)
        metrics.record_model_request(
            "gpt-4o-mini", "success", 0.8, prompt_tokens=1200, completion_tokens=80
        )

    async with (
        serving(app) as url,
        prometheus_scraping(url + "/metrics", tmp_path, token=token) as prometheus,
    ):
        assert await prometheus.unanswered(ANSWERED, traffic=traffic) == []

        assert await prometheus.query(EMPTY_AS_WRITTEN) == []
        # promtool checks exact values; here no ratio may be the 1 of a vector by itself.
        assert 0 < await prometheus.value("msil:http_error_ratio:rate5m") < 0.5
        assert 0.2 < await prometheus.value("msil:mcp_tool_success_ratio:rate5m") < 0.8
        spent = "msil:openai_cost_dollars_per_second:rate1h / sum(rate(openai_requests_total[1h]))"
        expected = (1200 * 0.15 + 80 * 0.60) / 1_000_000
        assert await prometheus.value(spent) == pytest.approx(expected, rel=0.5)
        endpoints = {
            sample["metric"]["endpoint"] for sample in await prometheus.query("http_requests_total")
        }
        assert endpoints == {
            "/api/chat/sessions/{session_id}", "/api/chat/broken", "/health", "/metrics"
        }  # fmt: skip
