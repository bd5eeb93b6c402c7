"""Every query the monitoring guide gives to operators, and what the rules record instead of three.

The three that are wrong as commonly written stay here too: `error rate` and `tool success rate`
answer, with 1 for every series, and `cost` cannot answer, which is why the rules exist.
"""

HTTP = (
    "http_requests_total",
    "http_request_duration_seconds_bucket",
    "http_request_duration_seconds_count",
    "http_request_duration_seconds_sum",
    'http_requests_total{status=~"5.."}',
    "rate(http_requests_total[5m])",
    'rate(http_requests_total{status=~"5.."}[5m]) / rate(http_requests_total[5m])',
    "histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m]))",
    "sum by (endpoint) (rate(http_requests_total[5m]))",
)
TOOLS = (
    "mcp_tool_calls_total",
    "mcp_tool_duration_seconds_bucket",
    'mcp_tool_calls_total{status="success"}',
    "rate(mcp_tool_calls_total[5m])",
    'rate(mcp_tool_calls_total{status="success"}[5m]) / rate(mcp_tool_calls_total[5m])',
    "histogram_quantile(0.95, rate(mcp_tool_duration_seconds_bucket[5m]))",
    "sum by (tool_name) (rate(mcp_tool_calls_total[5m]))",
)
MODEL = (
    "openai_requests_total",
    "openai_tokens_used",
    "openai_request_duration_seconds_bucket",
    "rate(openai_requests_total[5m])",
    "rate(openai_tokens_used[1h])",
    'rate(openai_tokens_used{token_type="prompt"}[1h]) * 0.15 / 1000000',
    'rate(openai_tokens_used{token_type="completion"}[1h]) * 0.60 / 1000000',
    "histogram_quantile(0.99, rate(openai_request_duration_seconds_bucket[5m]))",
)
INFRASTRUCTURE = (
    "database_connections_active",
    "redis_connections_active",
    "chat_sessions_active",
    "system_cpu_usage_percent",
    "system_memory_usage_percent",
)
RECORDED = (
    "msil:http_requests:rate5m",
    "msil:http_error_ratio:rate5m",
    "msil:http_request_duration_seconds:p95_5m",
    "msil:http_request_duration_seconds:p99_5m",
    "msil:mcp_tool_success_ratio:rate5m",
    "msil:mcp_tool_success_ratio_by_tool:rate5m",
    "msil:mcp_tool_duration_seconds:p95_5m",
    "msil:openai_cost_dollars_per_second:rate1h",
)
EMPTY_AS_WRITTEN = (
    '(rate(openai_tokens_used{token_type="prompt"}[1h]) * 0.15 / 1000000) + '
    '(rate(openai_tokens_used{token_type="completion"}[1h]) * 0.60 / 1000000)'
)

ANSWERED = (*HTTP, *TOOLS, *MODEL, *INFRASTRUCTURE, *RECORDED)
