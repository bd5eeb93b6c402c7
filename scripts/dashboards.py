"""What the Grafana dashboards show; render_dashboards.py makes the files of it.

In an expression `$on` stands for the servers chosen at the top of a dashboard. What the database
says is the same at every replica, so those gauges are asked for their `max`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Kind = Literal["lines", "stack", "number", "bars", "states", "table"]


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel: its queries by legend; `limits` colour it, from the first on amber, then red.

    With `fall` the limits are crossed downwards. `width` is of 24, `unit` is Grafana's name.
    """

    title: str
    about: str
    queries: Mapping[str, str]
    unit: str = "short"
    kind: Kind = "lines"
    width: int = 8
    limits: Sequence[float] = ()
    fall: bool = False
    log: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: Sequence[Panel]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `variables` are chosen at its top beside the servers, by metric and label."""

    uid: str
    title: str
    about: str
    rows: Sequence[Row]
    variables: Mapping[str, tuple[str, str]] | None = None


def quantiles(metric: str, matchers: str = "$on", *, by: str = "") -> dict[str, str]:
    """The median, 95th and 99th percentile of a histogram."""
    group = f"le, {by}" if by else "le"
    rate = f"sum by ({group}) (rate({metric}_bucket{{{matchers}}}[$__rate_interval]))"
    legend = f"{{{{{by}}}}} " if by else ""
    return {
        f"{legend}{name}": f"histogram_quantile({share}, {rate})"
        for name, share in (("median", 0.5), ("P95", 0.95), ("P99", 0.99))
    }


def p95(metric: str, by: str, matchers: str = "$on") -> dict[str, str]:
    """The 95th percentile of a histogram for each value of a label."""
    rate = f"sum by (le, {by}) (rate({metric}_bucket{{{matchers}}}[$__rate_interval]))"
    return {f"{{{{{by}}}}}": f"histogram_quantile(0.95, {rate})"}


def rates(metric: str, by: str, matchers: str = "$on") -> dict[str, str]:
    """A counter a second for each value of a label."""
    return {f"{{{{{by}}}}}": f"sum by ({by}) (rate({metric}{{{matchers}}}[$__rate_interval]))"}


def latest(metric: str, by: str) -> dict[str, str]:
    """A gauge that is the same at every replica, for each value of a label."""
    return {f"{{{{{by}}}}}": f"max by ({by}) ({metric}{{$on}})"}


NOT_PROBES = '$on,endpoint!~"/health|/ready|/metrics"'
FIRING = 'ALERTS{alertname=~"Msil.*",alertstate="firing"}'
CALLS = '$on,method="POST",endpoint=~"/mcp.*|/api/tools/.*/call"'

# A panel is read like a row of a table, so the formatter keeps away from here on.
# fmt: off
OVERVIEW = Board(
    uid="msil-overview",
    title="MSIL MCP Server",
    about="Is it well, and what is it doing? The other dashboards say why.",
    rows=[
        Row(
            "Now",
            [
                Panel(
                    "Requests", "HTTP requests answered, without probes.",
                    {"a second": f"sum(rate(http_requests_total{{{NOT_PROBES}}}[5m]))"},
                    unit="reqps", kind="number", width=4,
                ),
                Panel(
                    "Errors", "Requests that ended in a server error, of all of them.",
                    {"share": "msil:http_error_ratio:rate5m"},
                    unit="percentunit", kind="number", width=4, limits=(0.001, 0.01),
                ),
                Panel(
                    "P95", "95 of 100 requests are answered sooner.",
                    {"P95": "msil:http_request_duration_seconds:p95_5m"},
                    unit="s", kind="number", width=4, limits=(0.145, 0.5),
                ),
                Panel(
                    "Tool calls that succeed", "Refused and failed calls are the rest.",
                    {"share": "msil:mcp_tool_success_ratio:rate5m"},
                    unit="percentunit", kind="number", width=4, limits=(0.95, 0.8), fall=True,
                ),
                Panel(
                    "Error budget left", "Of 0.1 % of the requests of 30 days.",
                    {"left": "msil:availability:budget_left"},
                    unit="percentunit", kind="number", width=4, limits=(0.5, 0.1), fall=True,
                ),
                Panel(
                    "Alerts", "Firing now; the table below names them.",
                    {"firing": f"count({FIRING}) or vector(0)"},
                    kind="number", width=4, limits=(1, 5),
                ),
            ],
        ),
        Row(
            "Traffic",
            [
                Panel(
                    "Request Rate", "Requests a second by status.",
                    rates("http_requests_total", "status"), unit="reqps", kind="stack",
                ),
                Panel(
                    "Error Rate", "Server errors (5xx) of all requests, and refusals (4xx).",
                    {
                        "server errors": "msil:http_error_ratio:rate5m",
                        "refusals": 'sum(rate(http_requests_total{$on,status=~"4.."}'
                        "[$__rate_interval])) / sum(rate(http_requests_total{$on}"
                        "[$__rate_interval]))",
                    },
                    unit="percentunit", limits=(0.001, 0.01),
                ),
                Panel(
                    "P95 Latency", "Time to answer; an event stream counts until it begins.",
                    quantiles("http_request_duration_seconds"), unit="s", limits=(0.145, 0.5),
                ),
                Panel(
                    "Requests by endpoint", "A second, by the route's template.",
                    rates("http_requests_total", "endpoint"), unit="reqps", width=12,
                ),
                Panel(
                    "P95 latency by endpoint", "Those that wait for a model or a person stand out.",
                    p95("http_request_duration_seconds", "endpoint"), unit="s", width=12, log=True,
                ),
            ],
        ),
        Row(
            "Tools and conversations",
            [
                Panel(
                    "Tool calls", "A second, by outcome.",
                    rates("mcp_tool_calls_total", "status"), unit="ops", kind="stack", width=6,
                ),
                Panel(
                    "Tool execution", "Whole calls, rules and upstream together.",
                    quantiles("mcp_tool_duration_seconds"), unit="s", width=6, limits=(0.2, 0.5),
                ),
                Panel(
                    "Conversations being answered", "Sessions with a running turn.",
                    {"sessions": "sum(chat_sessions_active{$on})"}, width=6,
                ),
                Panel(
                    "Model cost", "US dollars an hour, at each model's own price.",
                    {
                        "{{gen_ai_request_model}}": "sum by (gen_ai_request_model) (increase("
                        "gen_ai_client_cost_dollars_total{$on}[1h]))"
                    },
                    unit="currencyUSD", width=6,
                ),
            ],
        ),
        Row(
            "Alerts and replicas",
            [
                Panel(
                    "Firing alerts", "Each has a page in docs/runbooks.",
                    {"": f"count by (alertname, severity) ({FIRING})"},
                    kind="table", width=8,
                ),
                Panel(
                    "Dependencies", "What each process says of what it needs.",
                    {"{{instance}} {{dependency}}": "mcp_dependency_up{$on}"},
                    kind="states", width=8,
                ),
                Panel(
                    "Uptime", "And the version of each process.",
                    {
                        "{{instance}} {{version}}": "time() - process_start_time_seconds{$on} "
                        "+ on (instance) group_right () 0 * mcp_server_info{$on}"
                    },
                    unit="s", kind="bars", width=8,
                ),
            ],
        ),
    ],
)

TOOLS = Board(
    uid="msil-tools",
    title="MSIL MCP Server: tools",
    about="Calls, what became of them, what was refused and by which rule, and the upstreams.",
    variables={"tool": ("mcp_tool_calls_total", "tool_name")},
    rows=[
        Row(
            "Calls",
            [
                Panel(
                    "Calls by tool", "A second; the most used tools.",
                    {
                        "{{tool_name}}": "topk(15, sum by (tool_name) (rate(mcp_tool_calls_total"
                        '{$on,tool_name=~"$tool"}[$__rate_interval])))'
                    },
                    unit="ops", width=12,
                ),
                Panel(
                    "Calls by outcome", "A second, of the chosen tools.",
                    rates("mcp_tool_calls_total", "status", '$on,tool_name=~"$tool"'),
                    unit="ops", kind="stack", width=12,
                ),
                Panel(
                    "Success by tool", "Of the last five minutes.",
                    {
                        "{{tool_name}}": "msil:mcp_tool_success_ratio_by_tool:rate5m"
                        '{tool_name=~"$tool"}'
                    },
                    unit="percentunit", kind="bars", limits=(0.95, 0.8), fall=True,
                ),
                Panel(
                    "P95 by tool", "Whole calls, rules and upstream together.",
                    p95("mcp_tool_duration_seconds", "tool_name", '$on,tool_name=~"$tool"'),
                    unit="s", limits=(0.2, 0.5),
                ),
                Panel(
                    "Running now", "Calls in progress in each process.",
                    {"{{instance}}": "mcp_calls_in_progress{$on}"},
                ),
                Panel(
                    "MCP messages", "A second, by method, whatever became of them.",
                    rates("mcp_server_operation_duration_seconds_count", "mcp_method_name"),
                    unit="ops", width=12,
                ),
                Panel(
                    "MCP latency", "P95 by method.",
                    p95("mcp_server_operation_duration_seconds", "mcp_method_name"),
                    unit="s", width=12, log=True,
                ),
            ],
        ),
        Row(
            "Denials and approvals",
            [
                Panel(
                    "Denials by rule", "Calls refused, a second, by the rule that refused them.",
                    rates("mcp_tool_denials_total", "rule"), unit="ops", kind="stack",
                ),
                Panel(
                    "Over a limit", "A second, by whose limit it was.",
                    rates("mcp_rate_limited_total", "limit"), unit="ops", kind="stack",
                ),
                Panel(
                    "Repeats answered from the store", "Calls with a key that was used before.",
                    {"a second": "sum(rate(mcp_idempotent_replays_total{$on}[$__rate_interval]))"},
                    unit="ops",
                ),
                Panel(
                    "Approvals", "An hour, by what became of them.",
                    {"{{event}}": "sum by (event) (increase(mcp_approvals_total{$on}[1h]))"},
                    kind="stack",
                ),
                Panel(
                    "Waiting for a person", "Approvals that can still be decided.",
                    {"waiting": "max(mcp_approvals_waiting{$on})"},
                ),
                Panel(
                    "Outcome unknown", "Writes of the last day that somebody has to look after.",
                    {"calls": "max(mcp_calls_unknown{$on})"},
                    kind="number", limits=(1, 5),
                ),
            ],
        ),
        Row(
            "Upstreams",
            [
                Panel(
                    "Requests by upstream and status", "A second; words are failures underway.",
                    {
                        "{{upstream}} {{status}}": "sum by (upstream, status) "
                        "(rate(mcp_upstream_requests_total{$on}[$__rate_interval]))"
                    },
                    unit="reqps", kind="stack",
                ),
                Panel(
                    "P95 by upstream", "Its answer alone, without our rules.",
                    p95("mcp_upstream_duration_seconds", "upstream"), unit="s", limits=(0.2, 0.5),
                ),
                Panel(
                    "Breakers", "Open: it kept failing, and calls are refused.",
                    latest("mcp_upstream_circuit_open", "upstream"), kind="states",
                ),
            ],
        ),
    ],
)

CONVERSATIONS = Board(
    uid="msil-conversations",
    title="MSIL MCP Server: conversations and models",
    about="Who is being answered, by which model, how fast and for how much.",
    variables={"model": ("openai_requests_total", "model")},
    rows=[
        Row(
            "Conversations",
            [
                Panel(
                    "Being answered", "Sessions with a running turn, in each process.",
                    {"{{instance}}": "chat_sessions_active{$on}"}, kind="stack",
                ),
                Panel(
                    "Chat requests", "Those of clients of OpenAI's protocol too, a second.",
                    rates(
                        "http_requests_total", "endpoint",
                        '$on,endpoint=~"/api/chat/.*|/v1/.*"',
                    ),
                    unit="reqps",
                ),
                Panel(
                    "Open streams", "Event streams of MCP clients, in each process.",
                    {"{{instance}}": "mcp_streams_open{$on}"}, kind="stack",
                ),
            ],
        ),
        Row(
            "Models",
            [
                Panel(
                    "Model requests", "A second, by model and how they ended.",
                    {
                        "{{model}} {{status}}": "sum by (model, status) (rate(openai_requests_total"
                        '{$on,model=~"$model"}[$__rate_interval]))'
                    },
                    unit="reqps", kind="stack", width=12,
                ),
                Panel(
                    "Model latency", "P95 of a request by model; 2 s on average is the target.",
                    p95("openai_request_duration_seconds", "model", '$on,model=~"$model"'),
                    unit="s", limits=(2, 10), width=12,
                ),
                Panel(
                    "First words", "Time to the first piece of a streamed answer, by model.",
                    p95(
                        "gen_ai_client_operation_time_to_first_chunk_seconds",
                        "gen_ai_request_model",
                    ),
                    unit="s", width=12,
                ),
                Panel(
                    "Model latency on average", "By operation, under OpenTelemetry's names.",
                    {
                        "{{gen_ai_operation_name}} {{gen_ai_request_model}}": "sum by "
                        "(gen_ai_operation_name, gen_ai_request_model) (rate("
                        "gen_ai_client_operation_duration_seconds_sum{$on}[$__rate_interval])) / "
                        "sum by (gen_ai_operation_name, gen_ai_request_model) (rate("
                        "gen_ai_client_operation_duration_seconds_count{$on}[$__rate_interval]))"
                    },
                    unit="s", width=12,
                ),
            ],
        ),
        Row(
            "Tokens and money",
            [
                Panel(
                    "Tokens", "A minute, by model and direction.",
                    {
                        "{{model}} {{token_type}}": "60 * sum by (model, token_type) (rate("
                        'openai_tokens_used{$on,model=~"$model"}[$__rate_interval]))'
                    },
                    kind="stack", width=6,
                ),
                Panel(
                    "Tokens of a request", "On average, by direction.",
                    {
                        "{{gen_ai_token_type}}": "sum by (gen_ai_token_type) (rate("
                        "gen_ai_client_token_usage_sum{$on}[$__rate_interval])) / sum by "
                        "(gen_ai_token_type) (rate("
                        "gen_ai_client_token_usage_count{$on}[$__rate_interval]))"
                    },
                    width=6,
                ),
                Panel(
                    "Prompt read from a cache", "Of all prompt tokens.",
                    {
                        "share": "sum(rate(gen_ai_client_cached_tokens_total{$on}[1h])) / "
                        'sum(rate(openai_tokens_used{$on,token_type="prompt"}[1h]))'
                    },
                    unit="percentunit", width=6,
                ),
                Panel(
                    "Cost today", "Of the last 24 hours, at each model's own price.",
                    {
                        "{{gen_ai_request_model}}": "sum by (gen_ai_request_model) (increase("
                        "gen_ai_client_cost_dollars_total{$on}[24h]))"
                    },
                    unit="currencyUSD", kind="bars", width=6,
                ),
                Panel(
                    "Cost by the hour",
                    "At each model's own price, and as if all of them were gpt-4o-mini.",
                    {
                        "{{gen_ai_request_model}}": "sum by (gen_ai_request_model) (increase("
                        "gen_ai_client_cost_dollars_total{$on}[1h]))",
                        "at gpt-4o-mini's prices":
                            "3600 * msil:openai_cost_dollars_per_second:rate1h",
                    },
                    unit="currencyUSD", width=24,
                ),
            ],
        ),
    ],
)

INFRASTRUCTURE = Board(
    uid="msil-infrastructure",
    title="MSIL MCP Server: infrastructure",
    about="Databases, audit, background work, and the machines it all runs on.",
    rows=[
        Row(
            "Database and Redis",
            [
                Panel(
                    "Connections in use", "And how many a process may open.",
                    {
                        "{{instance}}": "database_connections_active{$on}",
                        "{{instance}} limit": "mcp_database_connections_limit{$on}",
                    },
                ),
                Panel(
                    "Statements", "50 ms is the target of the 95th percentile.",
                    quantiles("mcp_database_query_duration_seconds"),
                    unit="s", limits=(0.01, 0.05), log=True,
                ),
                Panel(
                    "Redis connections in use", "0 where there is none.",
                    {"{{instance}}": "redis_connections_active{$on}"},
                ),
            ],
        ),
        Row(
            "Audit",
            [
                Panel(
                    "Records", "Made durable, and not, a second.",
                    {
                        "durable": "sum(rate(mcp_audit_records_total{$on}[$__rate_interval]))",
                        "failed": "sum(rate(mcp_audit_failures_total{$on}[$__rate_interval]))",
                    },
                    unit="ops", width=6,
                ),
                Panel(
                    "Commits", "Time of one commit of a batch.",
                    quantiles("mcp_audit_commit_duration_seconds"), unit="s", width=6, log=True,
                ),
                Panel(
                    "Batches", "Records of one commit on average, and records that wait.",
                    {
                        "in a commit": "sum(rate(mcp_audit_batch_rows_sum{$on}[$__rate_interval])) "
                        "/ sum(rate(mcp_audit_batch_rows_count{$on}[$__rate_interval]))",
                        "waiting at {{instance}}": "mcp_audit_queue_rows{$on}",
                    },
                    width=6,
                ),
                Panel(
                    "Alterations", "Times the trail was found altered, within a day.",
                    {"found": "sum(increase(mcp_audit_alterations_total{$on}[24h]))"},
                    kind="number", width=6, limits=(1, 1),
                ),
            ],
        ),
        Row(
            "Background work, webhooks and keys",
            [
                Panel(
                    "Jobs run", "An hour, by kind and outcome.",
                    {
                        "{{kind}} {{outcome}}": "sum by (kind, outcome) "
                        "(increase(mcp_job_runs_total{$on}[1h])) > 0"
                    },
                ),
                Panel(
                    "Jobs overdue", "How long the oldest due one has waited.",
                    latest("mcp_jobs_overdue_seconds", "kind"), unit="s", limits=(60, 300),
                ),
                Panel(
                    "Jobs given up", "They stay until somebody looks.",
                    latest("mcp_jobs_dead", "kind"), kind="bars", limits=(1, 5),
                ),
                Panel(
                    "Webhook deliveries", "Attempts, an hour, by outcome.",
                    {
                        "{{outcome}}": "sum by (outcome) "
                        "(increase(mcp_webhook_deliveries_total{$on}[1h]))"
                    },
                    kind="stack",
                ),
                Panel(
                    "Deliveries waiting",
                    "How many, the age of the oldest in minutes, and how many were given up.",
                    {
                        "waiting": "max(mcp_webhook_deliveries_waiting{$on})",
                        "given up": "max(mcp_webhook_dead_letters{$on})",
                        "age of the oldest": "max(mcp_webhook_oldest_waiting_seconds{$on}) / 60",
                    },
                ),
                Panel(
                    "Keys that end soon", "In use, and without a successor.",
                    {"within {{within}}": "max by (within) (mcp_keys_expiring{$on})"},
                    kind="bars", limits=(1, 5),
                ),
            ],
        ),
        Row(
            "Configuration",
            [
                Panel(
                    "Generation", "The same everywhere within a second of a change.",
                    {"{{instance}}": "mcp_snapshot_generation{$on}"},
                ),
                Panel(
                    "Age", "Beyond five seconds a process refuses calls.",
                    {"{{instance}}": "mcp_snapshot_age_seconds{$on}"}, unit="s", limits=(2, 5),
                ),
                Panel(
                    "Tools published", "In the configuration in memory.",
                    {"{{instance}}": "mcp_tools_published{$on}"},
                ),
            ],
        ),
        Row(
            "Machines and processes",
            [
                Panel(
                    "CPU", "Of the machine.",
                    {"{{instance}}": "system_cpu_usage_percent{$on}"},
                    unit="percent", width=6, limits=(75, 90),
                ),
                Panel(
                    "Memory", "Of the machine.",
                    {"{{instance}}": "system_memory_usage_percent{$on}"},
                    unit="percent", width=6, limits=(80, 90),
                ),
                Panel(
                    "Disk", "The one the data directory is on.",
                    {"{{instance}}": "system_disk_usage_percent{$on}"},
                    unit="percent", width=6, limits=(80, 95),
                ),
                Panel(
                    "Process memory", "Resident.",
                    {"{{instance}}": "process_resident_memory_bytes{$on}"},
                    unit="bytes", width=6,
                ),
                Panel(
                    "Process CPU", "CPUs a process uses; one is all that one process can.",
                    {"{{instance}}": "rate(process_cpu_seconds_total{$on}[$__rate_interval])"},
                    width=8, limits=(0.7, 0.9),
                ),
                Panel(
                    "Open files", "Of those the process may open.",
                    {"{{instance}}": "process_open_fds{$on} / process_max_fds{$on}"},
                    unit="percentunit", limits=(0.7, 0.9),
                ),
                Panel(
                    "Garbage collections", "A second, by generation.",
                    rates("python_gc_collections_total", "generation"), unit="ops",
                ),
            ],
        ),
    ],
)

PROMISES = Board(
    uid="msil-promises",
    title="MSIL MCP Server: promises",
    about="Availability of 99.9 % and 99 % of calls within a second, over 30 days.",
    rows=[
        Row(
            f"{name} ({promise})",
            [
                Panel(
                    f"{name}: budget left", "Of 30 days; below 0 the promise is broken.",
                    {"left": f"msil:{room}:budget_left"},
                    unit="percentunit", kind="number", width=6, limits=(0.5, 0.1), fall=True,
                ),
                Panel(
                    f"{name}: burn rate", "1 spends just the budget; 14.4 for an hour is a page.",
                    {"{{window}}": f"msil:{room}:bad_ratio / {budget}"},
                    width=18, limits=(1, 14.4), log=True,
                ),
                *extra,
            ],
        )
        for name, promise, room, budget, extra in (
            (
                "Availability", "99.9 % of requests", "availability", 0.001,
                [
                    Panel(
                        "Errors of this server", "A second; upstreams' answers are not among them.",
                        {"errors": "msil:availability:errors_rate5m"}, unit="ops", width=12,
                    ),
                    Panel(
                        "Requests", "A second, without probes.",
                        {"requests": "msil:availability:requests_rate5m"}, unit="ops", width=12,
                    ),
                ],
            ),
            (
                "Latency", "99 % of calls within a second", "latency", 0.01,
                [
                    Panel(
                        "Slow calls", "A second, of all calls.",
                        {
                            "slower than a second": "msil:latency:slow_calls_rate5m",
                            "all": "msil:latency:calls_rate5m",
                        },
                        unit="ops", width=12,
                    ),
                    Panel(
                        "How long calls take", "Over MCP and REST.",
                        quantiles("http_request_duration_seconds", CALLS),
                        unit="s", width=12, limits=(0.5, 1),
                    ),
                ],
            ),
        )
    ],
)

BOARDS = (OVERVIEW, TOOLS, CONVERSATIONS, INFRASTRUCTURE, PROMISES)
