"""Metrics as a scraper reads them, after the product was used through its doors."""

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from product.doors import call_by_mcp
from product.orders import agreed, order
from running import Product

pytestmark = pytest.mark.anyio

OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}
INVENTED = "no_such_tool_ever"
VEHICLE = {"registration_number": "MH12AB1234"}
GAUGES = {
    "database_connections_active",
    "redis_connections_active",
    "chat_sessions_active",
    "system_cpu_usage_percent",
    "system_memory_usage_percent",
    "system_disk_usage_percent",
}

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def scraped(product: Product) -> Samples:
    reply = await product.request("GET", "/metrics", role=None, headers=OPENMETRICS)
    assert reply.status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(reply.body.decode())
        for sample in family.samples
    }


def risen(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (name, tuple(sorted(labels.items())))
    return after.get(key, 0.0) - before.get(key, 0.0)


async def test_calls_are_counted_by_tool_and_outcome_whichever_door_they_took(
    shared_product: Product,
) -> None:
    before = await scraped(shared_product)
    await shared_product.call("resolve_vehicle", VEHICLE)
    answered = await call_by_mcp(shared_product, "resolve_vehicle", VEHICLE)
    assert not answered.json["result"].get("isError"), answered.body
    await shared_product.call("resolve_vehicle", {"registration_number": "MH01ZZ9999"})
    await shared_product.call("resolve_vehicle", {"plate": "MH12AB1234"})
    after = await scraped(shared_product)

    def calls(status: str) -> float:
        return risen(
            before, after, "mcp_tool_calls_total", tool_name="resolve_vehicle", status=status
        )

    assert (calls("success"), calls("failed"), calls("denied")) == (2, 1, 1)
    timed = "mcp_tool_duration_seconds_count"
    assert risen(before, after, timed, tool_name="resolve_vehicle") == 4
    assert risen(before, after, "mcp_tool_denials_total", rule="validate") == 1
    requests = {"upstream": "127.0.0.1"}
    assert risen(before, after, "mcp_upstream_requests_total", status="200", **requests) == 2
    assert risen(before, after, "mcp_upstream_requests_total", status="404", **requests) == 1
    assert risen(before, after, "mcp_upstream_duration_seconds_count", **requests) == 3
    assert risen(before, after, "mcp_audit_records_total") == 4


async def test_a_confirmed_write_is_counted_at_every_step(shared_product: Product) -> None:
    before = await scraped(shared_product)
    time = "11:00" if shared_product.settings.is_sqlite else "09:30"
    arguments = order(appointment_time=time)
    tool = "create_service_booking"
    await agreed(shared_product, tool, arguments, key="counted")
    for _ in range(2):
        booked = await shared_product.call(tool, arguments, key="counted")
        assert booked.status == 200, booked.body
    after = await scraped(shared_product)

    def calls(status: str) -> float:
        return risen(before, after, "mcp_tool_calls_total", tool_name=tool, status=status)

    assert (calls("needs_confirmation"), calls("success")) == (1, 2)
    assert risen(before, after, "mcp_idempotent_replays_total") == 1
    for event in ("requested", "approved", "used"):
        assert risen(before, after, "mcp_approvals_total", event=event) == 1, event


async def test_requests_are_counted_by_template_and_never_by_path(shared_product: Product) -> None:
    await shared_product.call("resolve_vehicle", VEHICLE)
    await call_by_mcp(shared_product, "resolve_vehicle", VEHICLE)
    for path in ("/api/tools/resolve_vehicle", "/mcp/service_booking", "/nowhere/at/all"):
        await shared_product.request("GET", path)
    counted = [
        dict(labels)
        for name, labels in await scraped(shared_product)
        if name == "http_requests_total"
    ]
    endpoints = {labels["endpoint"] for labels in counted}
    assert {
        "/api/tools/{name}/call", "/api/tools/{name}", "/mcp", "/mcp/{bundle}", "unmatched"
    } <= endpoints  # fmt: skip
    assert not any("resolve_vehicle" in one or "nowhere" in one for one in endpoints)
    assert all(set(labels) == {"method", "endpoint", "status"} for labels in counted)
    after = await scraped(shared_product)
    timed = {labels for name, labels in after if name == "http_request_duration_seconds_count"}
    assert (("endpoint", "/api/tools/{name}/call"), ("method", "POST")) in timed


async def test_a_caller_cannot_invent_a_tool_name(shared_product: Product) -> None:
    refused = await shared_product.call(INVENTED, {})
    assert refused.status == 404
    refused = await call_by_mcp(shared_product, INVENTED, {})
    assert "error" in refused.json
    # Nor through a bundle's own address, nor with a name of somebody else's method.
    await shared_product.request("POST", f"/mcp/{INVENTED}", json={})
    await shared_product.request("POST", f"/api/bundles/{INVENTED}/publish", role="administrator")
    reply = await shared_product.request("GET", "/metrics", role=None)
    assert INVENTED.encode() not in reply.body


async def test_gauges_queries_and_the_model_are_there_from_the_start(
    shared_product: Product,
) -> None:
    await shared_product.request("GET", "/api/tools", role="administrator")
    found = await scraped(shared_product)
    names = {name for name, _ in found}
    assert names >= GAUGES
    assert found["mcp_database_query_duration_seconds_count", ()] > 0
    assert found["mcp_tools_published", ()] == 6
    assert found["mcp_snapshot_age_seconds", ()] < 5
    for dependency in ("database", "audit", "configuration"):
        assert found["mcp_dependency_up", (("dependency", dependency),)] == 1
    for kind in ("audit.anchor", "webhook.tidy", "webhook.deliver"):
        assert ("mcp_job_runs_total", (("kind", kind), ("outcome", "dead"))) in found
    assert found["mcp_jobs_overdue_seconds", (("kind", "audit.prune"),)] < 60
    assert found["mcp_keys_expiring", (("within", "7d"),)] == 0
    for waiting in (
        "mcp_approvals_waiting", "mcp_calls_unknown", "mcp_webhook_deliveries_waiting",
        "mcp_audit_failures_total", "mcp_audit_alterations_total",
    ):  # fmt: skip
        assert (waiting, ()) in found
    assert found["database_connections_active", ()] <= found["mcp_database_connections_limit", ()]
    model = ("model", shared_product.settings.openai_model)
    assert found["openai_requests_total", (model, ("status", "success"))] == 0
    assert found["openai_tokens_used", (model, ("token_type", "prompt"))] == 0
    assert ("openai_request_duration_seconds_count", (model,)) in found
