"""A real Prometheus scrapes the whole product and answers every documented query."""

from collections.abc import Callable
from pathlib import Path

import pytest

from observability.documented_queries import ANSWERED
from observability.prometheus_server import prometheus_scraping
from running import Product

pytestmark = pytest.mark.anyio

# A quantile of no observations is no number; every other series of the model starts at 0.
NEEDS_A_MODEL = ("histogram_quantile(0.99, rate(openai_request_duration_seconds_bucket[5m]))",)


async def test_every_documented_query_has_data_of_the_product(
    embedded_product: Product, tmp_path: Path, component: Callable[[str], str]
) -> None:
    component("prometheus")

    async def traffic() -> None:
        await embedded_product.call("resolve_vehicle", {"registration_number": "MH12AB1234"})
        await embedded_product.call("resolve_vehicle", {"registration_number": "MH01ZZ9999"})
        await embedded_product.request("GET", "/health", role=None)
        await embedded_product.request("GET", "/api/tools", role=None)

    async with prometheus_scraping(f"{embedded_product.url}/metrics", tmp_path) as prometheus:
        expected = [query for query in ANSWERED if query not in NEEDS_A_MODEL]
        assert len(expected) == len(ANSWERED) - 1
        assert await prometheus.unanswered(expected, traffic=traffic) == []
        successes = 'sum(mcp_tool_calls_total{tool_name="resolve_vehicle", status="success"})'
        assert await prometheus.value(successes) >= 1
        assert 0 < await prometheus.value("msil:mcp_tool_success_ratio:rate5m") < 1
