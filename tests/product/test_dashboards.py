"""A product that has done things, a real Prometheus with the shipped rules, every expression asked.

A panel or an alert that names a metric or a label which is not there would stay empty for ever, and
nobody would notice until it is needed.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from databases import Templates, settings_for
from observability.expressions import (
    alerts,
    choices,
    named_in,
    panel_expressions,
    panels,
    rules,
)
from observability.prometheus_server import Prometheus, prometheus_scraping
from product.doors import call_by_mcp
from product.ledger import READ, publish, running_ledger
from product.orders import agreed, order
from running import Product
from running import product as running_product
from webhooks.receiver import receiving

pytestmark = pytest.mark.anyio

VEHICLE = {"registration_number": "MH12AB1234"}
WRITE = "create_service_booking"
GIVEN_UP = 'mcp_webhook_deliveries_total{outcome="dead"}'
REDIS_DB = 12


@pytest.fixture(scope="module")
def busy_product(templates: Templates, booking_url: str) -> Iterator[Product]:
    """With Redis, and an upstream that has gone away for good."""
    with (
        templates.clone("sqlite") as url,
        Redis(port=6379, db=REDIS_DB) as redis,
    ):
        redis.flushdb()
        settings = settings_for(url, redis_url=f"redis://127.0.0.1:6379/{REDIS_DB}")
        with running_product(settings, booking_url=booking_url) as product:
            yield product


@pytest.fixture
async def prometheus(
    busy_product: Product, tmp_path: Path, component: Callable[[str], str]
) -> AsyncIterator[Prometheus]:
    component("prometheus")
    async with prometheus_scraping(f"{busy_product.url}/metrics", tmp_path) as found:
        yield found


async def set_up(product: Product, receiver_url: str) -> None:
    """Things that happen once: a webhook, a dead upstream with its breaker open, a decision."""
    with running_ledger() as ledger:
        await publish(product, ledger)
    hook = {"url": receiver_url, "event_types": ["tool.called"], "allow_private": True}
    made = await product.request("POST", "/api/webhooks", role="administrator", json=hook)
    assert made.status == 201, made.body
    broken = [await product.call(READ, {"number": 1}) for _ in range(12)]
    assert broken[-1].json["error"] == "upstream_circuit_open"
    assert broken[-1].status == 503


async def day_at_work(product: Product, number: int) -> None:
    """What happens all the time, with the troubles that belong to it."""
    await call_by_mcp(product, "resolve_vehicle", VEHICLE)
    await product.call("resolve_vehicle", VEHICLE)
    await product.call("resolve_vehicle", {"registration_number": "MH01ZZ9999"})
    await product.call("resolve_vehicle", {"plate": "none"})
    await product.call(READ, {"number": 1})
    await product.request("GET", "/api/tools", role=None)
    said = {"message": "Which car is MH12AB1234?", "session_id": "dashboards"}
    answer = await product.request("POST", "/api/chat/send", json=said)
    assert answer.status == 200, answer.body
    if number < 3:
        wanted = order(appointment_time=f"1{number}:00")
        approval = await agreed(product, WRITE, wanted, key=f"board-{number}")
        for _ in range(2):
            await product.call(WRITE, wanted, key=f"board-{number}", approval=approval)


async def test_every_panel_choice_and_alert_asks_for_what_is_there(
    busy_product: Product, prometheus: Prometheus
) -> None:
    rounds = iter(range(10_000))

    async def work() -> None:
        await day_at_work(busy_product, next(rounds))

    asked = panel_expressions()
    selectors = {
        selector
        for expression in (*asked.values(), *(rule["expr"] for rule in rules()))
        for selector in named_in(expression).selectors
    }
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    async with receiving() as receiver:
        receiver.answer = lambda _: 410
        # What rises before the first scrape has not risen for Prometheus.
        assert await prometheus.unanswered([GIVEN_UP], traffic=work) == []
        await set_up(busy_product, receiver.url)
        unanswered = await prometheus.unanswered(
            [*asked.values(), *selectors, *recorded, *(of for of, _ in choices().values())],
            traffic=work,
            within_seconds=60,
        )
    assert [*(f"{where}: {one}" for where, one in asked.items() if one in unanswered)] == []
    assert unanswered == []

    await legends_have_their_labels(prometheus)
    await expressions_name_labels_of_their_series(prometheus)
    await what_is_not_there_is_noticed(prometheus)
    for where, (selector, label) in choices().items():
        assert all(label in series for series in await prometheus.series(selector)), where
    found = await prometheus.rules()
    assert {rule["name"]: rule.get("lastError") for rule in found if rule["health"] != "ok"} == {}
    assert {rule["name"] for rule in found} == recorded | {alert["alert"] for alert in alerts()}
    # A webhook that was answered 410 is given up, and nobody has to wait for that to be told.
    (told,) = [rule for rule in found if rule["name"] == "MsilWebhooksGivenUp"]
    (firing,) = told["alerts"]
    assert re.fullmatch(r"\d+ in an hour\. .*", firing["annotations"]["description"])


async def legends_have_their_labels(prometheus: Prometheus) -> None:
    asked = panel_expressions()
    for board, panel in panels():
        for target in panel["targets"]:
            where = f"{board}: {panel['title']}: {target['refId']}"
            named = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
            for sample in await prometheus.query(asked[where]):
                assert named <= set(sample["metric"]), (where, sample)


async def expressions_name_labels_of_their_series(prometheus: Prometheus) -> None:
    every = [*panel_expressions().values(), *(rule["expr"] for rule in rules())]
    for expression in every:
        named = named_in(expression)
        there = {
            label
            for selector in named.selectors
            for series in await prometheus.series(selector)
            for label in series
        }
        assert named.labels <= there, expression


async def what_is_not_there_is_noticed(prometheus: Prometheus) -> None:
    for wrong in ("mcp_tool_call_total", 'mcp_tool_calls_total{status="succeeded"}'):
        assert await prometheus.query(wrong) == []
    misnamed = named_in('sum by (tool) (rate(mcp_tool_calls_total{tol=~".*"}[5m]))')
    (selector,) = misnamed.selectors
    found = await prometheus.series(selector)
    assert found
    assert misnamed.labels == {"tool", "tol"}
    assert not any(misnamed.labels & set(one) for one in found)
