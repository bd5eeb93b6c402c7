"""Every metric of the product, in one registry that main builds and hands around."""

import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from typing import Final, Literal, get_args

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

from msil_mcp.observability.gauges import (
    GaugeName,
    LabelledGaugeName,
    SourcedGauges,
    SystemGauges,
)
from msil_mcp.observability.series import PlainCounter, Series
from msil_mcp.observability.sightings import Sightings
from msil_mcp.observability.system import SystemMonitor

ToolStatus = Literal["success", "failed", "denied", "needs_confirmation", "unknown"]
Rule = Literal[
    "record", "authorize", "validate", "limit", "idempotency", "approve", "redact", "upstream"
]
Limit = Literal["principal", "tool", "global", "concurrency"]
ApprovalEvent = Literal["requested", "approved", "denied", "expired", "used"]
JobOutcome = Literal["done", "failed", "dead"]
DeliveryOutcome = Literal["delivered", "failed", "dead"]

REQUEST_BUCKETS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)
MODEL_BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)
FIRST_CHUNK_BUCKETS: Final = (
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5),
    *(10.0, 20.0, 30.0),
)
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
        self.sightings = Sightings()
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        SystemGauges(system, registry=registry)
        self._gauges = SourcedGauges(registry=registry)
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
            "http_request_duration_seconds",
            "Time to answer a request, or until its event stream began",
            *("method", "endpoint"),
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
        self._denials = _known(denials, get_args(Rule))
        limits = counter("mcp_rate_limited_total", "Tool calls over a limit", "limit")
        self._limits = _known(limits, get_args(Limit))
        approvals = counter("mcp_approvals_total", "What became of approvals", "event")
        self._approvals = _known(approvals, get_args(ApprovalEvent))
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
        self._audit_failures = counter(
            "mcp_audit_failures_total", "Audit rows that could not be made durable"
        )
        self._audit_alterations = counter(
            "mcp_audit_alterations_total",
            "Times the audit trail was found altered, by verifying it or by its writer",
        )

        self._job_runs = counter(
            "mcp_job_runs_total", "Background jobs run, by outcome", "kind", "outcome"
        )
        deliveries = counter(
            "mcp_webhook_deliveries_total", "Attempts to deliver to webhooks, by outcome", "outcome"
        )
        self._deliveries = _known(deliveries, get_args(DeliveryOutcome))

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
        first_chunks = histogram(
            "gen_ai_client_operation_time_to_first_chunk_seconds",
            "Time from a streamed model request to the first piece of its answer",
            *("gen_ai_operation_name", "gen_ai_request_model"),
            buckets=FIRST_CHUNK_BUCKETS,
        )
        self._first_chunks = Series[Observe](lambda of: first_chunks.labels("chat", of[0]).observe)
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
        cost = counter(
            "gen_ai_client_cost_dollars_total",
            "Price of model requests in US dollars, where the model's price is known",
            "gen_ai_request_model",
        )
        self._model_cost = Series[Observe](lambda of: cost.labels(*of).inc)

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
        if status.isdecimal() and status < "500":
            self.sightings.answered("upstream", upstream, seconds=seconds)
        elif status != "abandoned":
            self.sightings.failed("upstream", upstream, status)

    def record_audit_commit(self, rows: int, seconds: float) -> None:
        """So many audit rows became durable in one commit."""
        self._audit_rows.inc(rows)
        self._audit_batch.observe(rows)
        self._audit_commit.observe(seconds)
        self.sightings.answered("audit", "", seconds=seconds)

    def record_audit_failure(self, rows: int) -> None:
        """So many audit rows could not be committed."""
        self._audit_failures.inc(rows)
        self.sightings.failed("audit", "", f"{rows} records could not be committed")

    def record_audit_alteration(self) -> None:
        """The trail is not as it was written."""
        self._audit_alterations.inc()

    def expect_jobs(self, kinds: Iterable[str]) -> None:
        """Show these kinds of jobs at 0 runs of each outcome, for `increase()` to start from."""
        for kind in kinds:
            for outcome in get_args(JobOutcome):
                self._job_runs.labels(kind, outcome)

    def record_job(self, kind: str, outcome: JobOutcome) -> None:
        """A job was run; `failed` is tried again, `dead` is not."""
        self._job_runs.labels(kind, outcome).inc()

    def record_delivery(self, outcome: DeliveryOutcome) -> None:
        """An attempt to deliver to a webhook ended; `failed` is tried again, `dead` is not."""
        self._deliveries[(outcome,)]()

    def expect_model(self, model: str) -> None:
        """Show the configured model at 0 requests and 0 tokens, for `rate()` to start from."""
        _ = self._model_requests[model, "success"]
        _ = self._model_tokens[model, "prompt", "input"]
        _ = self._model_tokens[model, "completion", "output"]
        _ = self._model_cost[(model,)]
        _ = self._first_chunks[(model,)]

    def record_first_chunk(self, model: str, seconds: float) -> None:
        """A streamed answer began so many seconds after it was asked for."""
        self._first_chunks[(model,)](seconds)

    def record_model_request(
        self,
        model: str,
        status: str,
        seconds: float,
        *,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        cached_tokens: int = 0,
        cost_usd: float | None = None,
    ) -> None:
        """One request to a model; `status` is `success` or the error's slug.

        `cost_usd` is None where the model's price is not known.
        """
        count, observe, observe_operation = self._model_requests[model, status]
        count()
        observe(seconds)
        observe_operation(seconds)
        if status == "success":
            self.sightings.answered("model", model, seconds=seconds)
        elif status != "cancelled":
            self.sightings.failed("model", model, status)
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
        if cost_usd is not None:
            self._model_cost[(model,)](cost_usd)

    def set_gauge_source(self, name: GaugeName, read: Callable[[], float]) -> None:
        """Have a gauge read at every scrape, on a thread of its own; `read` must not block."""
        self._gauges.sources[name] = read

    def set_labelled_source(
        self, name: LabelledGaugeName, read: Callable[[], Mapping[str, float]]
    ) -> None:
        """The same for a gauge with a label: `read` has the value of each label."""
        self._gauges.labelled_sources[name] = read

    def render(self, accept: str = "") -> tuple[bytes, str]:
        """The exposition and its content type: OpenMetrics for whoever accepts it, or plain text.

        Takes milliseconds, and more with many series: call it off the event loop.
        """
        encode, content_type = choose_encoder(accept)
        return self._tokens.as_counter(encode(self.registry)), content_type


def _known(counter: Counter, values: Iterable[str]) -> Series[Increment]:
    """A counter whose label values are a short list: each is shown at 0, for `increase()`."""
    series = Series[Increment](lambda of: counter.labels(*of).inc)
    for value in values:
        _ = series[(value,)]
    return series
