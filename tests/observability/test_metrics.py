import asyncio
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.series import Series
from msil_mcp.observability.system import SystemMonitor

OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(system=SystemMonitor(disk=Path.cwd()))


def samples(metrics: Metrics) -> dict[str, float]:
    """Every sample as a scraper reads it, by its name and labels."""
    text, _ = metrics.render(OPENMETRICS)
    return {
        sample.name + "{" + ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items())) + "}":
        sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }  # fmt: skip


def test_tool_calls_are_counted_by_status_and_timed_by_tool(metrics: Metrics) -> None:
    metrics.record_tool_call("resolve_vehicle", "success", 0.004)
    metrics.record_tool_call("resolve_vehicle", "success", 0.2)
    metrics.record_tool_call("resolve_vehicle", "denied", 0.0001)
    found = samples(metrics)
    assert found["mcp_tool_calls_total{status=success,tool_name=resolve_vehicle}"] == 2
    assert found["mcp_tool_calls_total{status=denied,tool_name=resolve_vehicle}"] == 1
    assert found["mcp_tool_duration_seconds_count{tool_name=resolve_vehicle}"] == 3
    assert found["mcp_tool_duration_seconds_bucket{le=0.005,tool_name=resolve_vehicle}"] == 2


def test_model_requests_are_counted_under_both_names(metrics: Metrics) -> None:
    metrics.record_model_request(
        "gpt-4o-mini", "success", 0.7, prompt_tokens=900, completion_tokens=40, cached_tokens=512
    )
    metrics.record_model_request("gpt-4o-mini", "rate_limited", 0.1)
    metrics.record_first_chunk("gpt-4o-mini", 0.3)
    found = samples(metrics)
    first = "gen_ai_client_operation_time_to_first_chunk_seconds_sum"
    labels = "{gen_ai_operation_name=chat,gen_ai_request_model=gpt-4o-mini}"
    assert found[first + labels] == 0.3
    assert found["openai_requests_total{model=gpt-4o-mini,status=success}"] == 1
    assert found["openai_requests_total{model=gpt-4o-mini,status=rate_limited}"] == 1
    assert found["openai_tokens_used{model=gpt-4o-mini,token_type=prompt}"] == 900
    assert found["openai_tokens_used{model=gpt-4o-mini,token_type=completion}"] == 40
    assert found["openai_request_duration_seconds_count{model=gpt-4o-mini}"] == 2
    assert found["gen_ai_client_cached_tokens_total{gen_ai_request_model=gpt-4o-mini}"] == 512
    usage = "gen_ai_client_token_usage_sum{gen_ai_request_model=gpt-4o-mini,gen_ai_token_type="
    assert (found[usage + "input}"], found[usage + "output}"]) == (900, 40)
    assert not any(name.startswith("openai_tokens_used_total") for name in found)


def test_tokens_are_a_counter_where_the_format_allows_it(metrics: Metrics) -> None:
    metrics.expect_model("gpt-4o-mini")
    plain, _ = metrics.render()
    assert b"# TYPE openai_tokens_used counter\n" in plain
    exposition, content_type = metrics.render(OPENMETRICS)
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert b"# TYPE openai_tokens_used unknown\n" in exposition
    assert exposition.endswith(b"# EOF\n")


def test_what_is_expected_starts_at_zero(metrics: Metrics) -> None:
    metrics.expect_tools(["get_booking_status"])
    metrics.expect_model("gpt-4o-mini")
    found = samples(metrics)
    assert found["mcp_tool_calls_total{status=success,tool_name=get_booking_status}"] == 0
    assert found["openai_tokens_used{model=gpt-4o-mini,token_type=completion}"] == 0
    assert found["openai_requests_total{model=gpt-4o-mini,status=success}"] == 0


def test_the_chain_and_the_databases_are_counted(metrics: Metrics) -> None:
    metrics.record_denial("authorize")
    metrics.record_limit("principal")
    metrics.record_approval("requested")
    metrics.record_replay()
    metrics.record_upstream("booking.example", "201", 0.02)
    metrics.record_operation("tools/call", 0.003)
    metrics.record_operation("tools/call", 0.001, error_type="-32602")
    metrics.record_query(0.0004)
    metrics.record_audit_commit(16, 0.0002)
    found = samples(metrics)
    assert found["mcp_tool_denials_total{rule=authorize}"] == 1
    assert found["mcp_rate_limited_total{limit=principal}"] == 1
    assert found["mcp_approvals_total{event=requested}"] == 1
    assert found["mcp_idempotent_replays_total{}"] == 1
    assert found["mcp_upstream_requests_total{status=201,upstream=booking.example}"] == 1
    assert found["mcp_upstream_duration_seconds_count{upstream=booking.example}"] == 1
    operations = "mcp_server_operation_duration_seconds_count{error_type=%s,mcp_method_name=%s}"
    assert found[operations % ("", "tools/call")] == 1
    assert found[operations % ("-32602", "tools/call")] == 1
    assert found["mcp_database_query_duration_seconds_bucket{le=0.0005}"] == 1
    assert found["mcp_audit_records_total{}"] == 16
    assert found["mcp_audit_batch_rows_bucket{le=16.0}"] == 1


def test_gauges_are_read_at_every_scrape_and_a_broken_one_hides_no_other(metrics: Metrics) -> None:
    busy = [3]
    metrics.set_gauge_source("database_connections_active", lambda: busy[0])
    metrics.set_gauge_source("mcp_audit_queue_rows", lambda: 1 / 0)
    assert samples(metrics)["database_connections_active{}"] == 3
    busy[0] = 5
    found = samples(metrics)
    assert found["database_connections_active{}"] == 5
    assert found["redis_connections_active{}"] == 0
    assert found["chat_sessions_active{}"] == 0
    assert "mcp_audit_queue_rows{}" not in found


def test_the_machine_and_the_process_are_measured(metrics: Metrics) -> None:
    found = samples(metrics)
    assert 0 <= found["system_cpu_usage_percent{}"] <= 100
    assert 0 < found["system_memory_usage_percent{}"] <= 100
    assert found["process_resident_memory_bytes{}"] > 1e6


def test_invented_names_end_in_one_series() -> None:
    made: list[tuple[str, ...]] = []
    series = Series(lambda labels: made.append(labels) or labels, open_label=1, limit=2)
    assert series["GET", "/a", "200"] == ("GET", "/a", "200")
    assert series["GET", "/b", "200"] == ("GET", "/b", "200")
    for number in range(100):
        assert series["GET", f"/{number}", "200"] == ("GET", "other", "200")
    assert series["GET", "/a", "200"] == ("GET", "/a", "200")
    assert len(made) == len(series) == 3


@pytest.mark.anyio
async def test_two_registries_live_side_by_side_and_threads_record_into_both() -> None:
    both = [Metrics(system=SystemMonitor(disk=Path.cwd())) for _ in range(2)]
    await asyncio.gather(
        *(
            asyncio.to_thread(lambda one=one: [one.record_query(0.001) for _ in range(500)])
            for one in both
            for _ in range(2)
        )
    )
    for one in both:
        assert samples(one)["mcp_database_query_duration_seconds_count{}"] == 1000


def test_load_of_a_disk_that_does_not_exist_yet_is_that_of_the_one_it_will_be_on(
    tmp_path: Path,
) -> None:
    load = SystemMonitor(disk=tmp_path / "not" / "made" / "yet").load()
    assert load.disk_free_gb > 0
    assert 0 <= load.disk_percent <= 100
