"""Every metric of the product, in one registry that main builds and hands around."""

import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Final, Literal, get_args

import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from msil_mcp.observability.series import PlainCounter, Series
from msil_mcp.observability.system import SystemMonitor

log = structlog.get_logger()

ToolStatus = Literal["success", "failed", "denied", "needs_confirmation", "unknown"]
Rule = Literal[
    "record", "authorize", "validate", "limit", "idempotency", "approve", "redact", "upstream"
]
Limit = Literal["principal", "tool", "global", "concurrency"]
ApprovalEvent = Literal["requested", "approved", "denied", "expired", "used"]
GaugeName = Literal[
    "database_connections_active",
    "redis_connections_active",
    "chat_sessions_active",
    "mcp_audit_queue_rows",
    "mcp_calls_in_progress",
    "mcp_snapshot_age_seconds",
    "mcp_snapshot_generation",
    "mcp_streams_open",
    "mcp_tools_published",
]

GAUGES: Final[dict[GaugeName, str]] = {
    "database_connections_active": "Database connections in use",
    "redis_connections_active": "Redis connections in use",
    "chat_sessions_active": "Chat sessions with a running turn",
    "mcp_audit_queue_rows": "Audit rows waiting to be durable",
    "mcp_calls_in_progress": "Tool calls running now",
    "mcp_snapshot_age_seconds": "Seconds since the configuration in memory was known to be current",
    "mcp_snapshot_generation": "Generation of the configuration in memory",
    "mcp_streams_open": "Event streams open to clients",
    "mcp_tools_published": "Tools in the configuration in memory",
}
ALWAYS_SHOWN: Final[frozenset[GaugeName]] = frozenset(
    {"database_connections_active", "redis_connections_active", "chat_sessions_active"}
)
"""Read 0 while nothing has said otherwise: without Redis, none of its connections is in use."""

REQUEST_BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)
MODEL_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
DATABASE_BUCKETS: Final = (
    *(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 5.0),
)
ROW_BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
TOKEN_BUCKETS: Final = tuple(4**power for power in range(1, 11))

Increment = Callable[[], None]
Observe = Callable[[float], None]


class Metrics:
    """Counts and times what happens; any thread may record, and a record costs microseconds.

    Times are in seconds. Labels are bounded: pass a tool's published name (never one a caller
    invented), a route's template, the model's configured name.
    """

    def __init__(self, *, system: SystemMonitor) -> None:
        # A second series for each one, with the time it was made, is of no use to Prometheus.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types here
        self.system = system
        self.started_at = time.monotonic()
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        _SystemGauges(system, registry=registry)
        self._gauges = _SourcedGauges(registry=registry)
        Info("mcp_server", "This server", registry=registry).info({"version": version("msil-mcp")})

        def counter(name: str, documentation: str, *labels: str) -> Counter:
            return Counter(name, documentation, labels, registry=registry)

        def histogram(
            name: str, documentation: str, *labels: str, buckets: Iterable[float] = REQUEST_BUCKETS
        ) -> Histogram:
            return Histogram(name, documentation, labels, buckets=tuple(buckets), registry=registry)

        requests = counter(
            "http_requests_total", "HTTP requests answered", "method", "endpoint", "status"
        )
        request_times = histogram(
            "http_request_duration_seconds", "Time to answer a request", "method", "endpoint"
        )
        self._requests = Series[tuple[Increment, Observe]](
            lambda of: (requests.labels(*of).inc, request_times.labels(*of[:2]).observe),
            open_label=1,
        )

        calls = counter("mcp_tool_calls_total", "Tool calls by outcome", "tool_name", "status")
        call_times = histogram("mcp_tool_duration_seconds", "Time of a tool call", "tool_name")
        self._calls = Series[tuple[Increment, Observe]](
            lambda of: (calls.labels(*of).inc, call_times.labels(of[0]).observe)
        )
        self._tool_calls = calls
        operations = histogram(
            "mcp_server_operation_duration_seconds",
            "Time of an MCP request or notification",
            *("mcp_method_name", "error_type"),
        )
        self._operations = Series[Observe](lambda of: operations.labels(*of).observe)
        denials = counter("mcp_tool_denials_total", "Tool calls refused, by rule", "rule")
        self._denials = Series[Increment](lambda of: denials.labels(*of).inc)
        limits = counter("mcp_rate_limited_total", "Tool calls over a limit", "limit")
        self._limits = Series[Increment](lambda of: limits.labels(*of).inc)
        approvals = counter("mcp_approvals_total", "What became of approvals", "event")
        self._approvals = Series[Increment](lambda of: approvals.labels(*of).inc)
        self._replays = counter(
            "mcp_idempotent_replays_total", "Calls answered with the result of an earlier one"
        )

        upstream = counter(
            "mcp_upstream_requests_total", "Requests sent upstream", "upstream", "status"
        )
        upstream_times = histogram(
            "mcp_upstream_duration_seconds", "Time of an upstream request", "upstream"
        )
        self._upstream = Series[tuple[Increment, Observe]](
            lambda of: (upstream.labels(*of).inc, upstream_times.labels(of[0]).observe)
        )

        self.record_query: Observe = histogram(
            "mcp_database_query_duration_seconds",
            "Time of a database statement",
            buckets=DATABASE_BUCKETS,
        ).observe
        """Counts one database statement of so many seconds."""
        self._audit_rows = counter("mcp_audit_records_total", "Audit rows made durable")
        self._audit_batch = histogram(
            "mcp_audit_batch_rows", "Audit rows in one commit", buckets=ROW_BUCKETS
        )
        self._audit_commit = histogram(
            "mcp_audit_commit_duration_seconds",
            "Time of one commit of audit rows",
            buckets=DATABASE_BUCKETS,
        )

        model_requests = counter("openai_requests_total", "Model requests", "model", "status")
        model_times = histogram(
            "openai_request_duration_seconds",
            "Time of a model request",
            "model",
            buckets=MODEL_BUCKETS,
        )
        gen_ai_times = histogram(
            "gen_ai_client_operation_duration_seconds",
            "Time of a model request",
            *("gen_ai_operation_name", "gen_ai_request_model"),
            buckets=MODEL_BUCKETS,
        )
        self._model_requests = Series[tuple[Increment, Observe, Observe]](
            lambda of: (
                model_requests.labels(*of).inc,
                model_times.labels(of[0]).observe,
                gen_ai_times.labels("chat", of[0]).observe,
            )
        )
        self._tokens = PlainCounter(
            "openai_tokens_used", "Model tokens", ("model", "token_type"), registry=registry
        )
        gen_ai_tokens = histogram(
            "gen_ai_client_token_usage",
            "Tokens of a model request",
            *("gen_ai_token_type", "gen_ai_request_model"),
            buckets=TOKEN_BUCKETS,
        )
        self._model_tokens = Series[tuple[Observe, Observe]](
            lambda of: (
                self._tokens.labels(of[0], of[1]).inc,
                gen_ai_tokens.labels(of[2], of[0]).observe,
            )
        )
        # Cached tokens are among the prompt's: a third token_type would count them twice.
        cached = counter(
            "gen_ai_client_cached_tokens_total",
            "Prompt tokens read from a cache",
            "gen_ai_request_model",
        )
        self._cached_tokens = Series[Observe](lambda of: cached.labels(*of).inc)

    def record_request(self, method: str, endpoint: str, status: str, seconds: float) -> None:
        """One HTTP request answered; `endpoint` is the route's template."""
        count, observe = self._requests[method, endpoint, status]
        count()
        observe(seconds)

    def record_tool_call(self, tool_name: str, status: ToolStatus, seconds: float) -> None:
        """One tool call finished; a name no tool has is `unknown`."""
        count, observe = self._calls[tool_name, status]
        count()
        observe(seconds)

    def expect_tools(self, names: Iterable[str]) -> None:
        """Show published tools at 0 calls, so that `rate()` sees the first call of each."""
        for name in names:
            self._tool_calls.labels(name, "success")

    def record_operation(self, method: str, seconds: float, error_type: str = "") -> None:
        """One MCP message handled; `method` is one the protocol has, or `other`."""
        self._operations[method, error_type](seconds)

    def record_denial(self, rule: Rule) -> None:
        """A link of the chain refused a call."""
        self._denials[(rule,)]()

    def record_limit(self, limit: Limit) -> None:
        """A call was over a limit."""
        self._limits[(limit,)]()

    def record_approval(self, event: ApprovalEvent) -> None:
        """An approval was asked for, decided, used or left to expire."""
        self._approvals[(event,)]()

    def record_replay(self) -> None:
        """A repeated call was answered with the stored result."""
        self._replays.inc()

    def record_upstream(self, upstream: str, status: str, seconds: float) -> None:
        """One request to an upstream's host; `status` is its HTTP status, or the error's slug."""
        count, observe = self._upstream[upstream, status]
        count()
        observe(seconds)

    def record_audit_commit(self, rows: int, seconds: float) -> None:
        """So many audit rows became durable in one commit."""
        self._audit_rows.inc(rows)
        self._audit_batch.observe(rows)
        self._audit_commit.observe(seconds)

    def expect_model(self, model: str) -> None:
        """Show the configured model at 0 requests and 0 tokens, for `rate()` to start from."""
        _ = self._model_requests[model, "success"]
        _ = self._model_tokens[model, "prompt", "input"]
        _ = self._model_tokens[model, "completion", "output"]

    def record_model_request(
        self,
        model: str,
        status: str,
        seconds: float,
        *,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        cached_tokens: int = 0,
    ) -> None:
        """One request to a model; `status` is `success` or the error's slug."""
        count, observe, observe_operation = self._model_requests[model, status]
        count()
        observe(seconds)
        observe_operation(seconds)
        for tokens, kind, gen_ai_kind in (
            (prompt_tokens, "prompt", "input"),
            (completion_tokens, "completion", "output"),
        ):
            if tokens:
                add, observe_tokens = self._model_tokens[model, kind, gen_ai_kind]
                add(tokens)
                observe_tokens(tokens)
        if cached_tokens:
            self._cached_tokens[(model,)](cached_tokens)

    def set_gauge_source(self, name: GaugeName, read: Callable[[], float]) -> None:
        """Have a gauge read at every scrape, on a thread of its own; `read` must not block."""
        self._gauges.sources[name] = read

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics for whoever accepts it, or plain text.

        Takes milliseconds, and more with many series: call it off the event loop.
        """
        encode, content_type = choose_encoder(accept)
        return self._tokens.as_counter(encode(self.registry)), content_type


class _SystemGauges(Collector):
    def __init__(self, system: SystemMonitor, *, registry: CollectorRegistry) -> None:
        self._system = system
        registry.register(self)

    @override
    def collect(self) -> Iterator[Metric]:
        load = self._system.refresh()
        yield GaugeMetricFamily(
            "system_cpu_usage_percent", "CPU in use, of the machine", value=load.cpu_percent
        )
        yield GaugeMetricFamily(
            "system_memory_usage_percent",
            "Memory in use, of the machine",
            value=load.memory_percent,
        )


class _SourcedGauges(Collector):
    def __init__(self, *, registry: CollectorRegistry) -> None:
        self.sources: dict[GaugeName, Callable[[], float]] = {}
        registry.register(self)

    @override
    def collect(self) -> Iterator[Metric]:
        for name in get_args(GaugeName):
            read = self.sources.get(name)
            if read is None:
                if name in ALWAYS_SHOWN:
                    yield GaugeMetricFamily(name, GAUGES[name], value=0)
                continue
            try:
                value = float(read())
            except Exception:  # one source must not hide every other metric
                log.exception("gauge_unreadable", gauge=name)
                continue
            yield GaugeMetricFamily(name, GAUGES[name], value=value)
