"""Gauges: what is read at the moment of a scrape instead of being counted."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Literal, get_args

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from msil_mcp.observability.system import SystemMonitor

log = structlog.get_logger()

GaugeName = Literal[
    "database_connections_active",
    "redis_connections_active",
    "chat_sessions_active",
    "mcp_approvals_waiting",
    "mcp_audit_queue_rows",
    "mcp_calls_in_progress",
    "mcp_calls_unknown",
    "mcp_database_connections_limit",
    "mcp_snapshot_age_seconds",
    "mcp_snapshot_generation",
    "mcp_streams_open",
    "mcp_tools_published",
    "mcp_webhook_dead_letters",
    "mcp_webhook_deliveries_waiting",
    "mcp_webhook_oldest_waiting_seconds",
]
LabelledGaugeName = Literal[
    "mcp_dependency_up",
    "mcp_jobs_dead",
    "mcp_jobs_overdue_seconds",
    "mcp_keys_expiring",
    "mcp_upstream_circuit_open",
]

GAUGES: Final[dict[GaugeName, str]] = {
    "database_connections_active": "Database connections in use",
    "redis_connections_active": "Redis connections in use",
    "chat_sessions_active": "Chat sessions with a running turn",
    "mcp_approvals_waiting": "Approvals a person has yet to decide",
    "mcp_audit_queue_rows": "Audit rows waiting to be durable",
    "mcp_calls_in_progress": "Tool calls running now",
    "mcp_calls_unknown": "Keyed calls of the last day whose outcome nobody knows",
    "mcp_database_connections_limit": "Most database connections this process may use for queries",
    "mcp_snapshot_age_seconds": "Seconds since the configuration in memory was known to be current",
    "mcp_snapshot_generation": "Generation of the configuration in memory",
    "mcp_streams_open": "Event streams open to clients",
    "mcp_tools_published": "Tools in the configuration in memory",
    "mcp_webhook_dead_letters": "Webhook deliveries that were given up and can be replayed; the "
    "same at every replica",
    "mcp_webhook_deliveries_waiting": "Webhook deliveries not yet made",
    "mcp_webhook_oldest_waiting_seconds": "Age of the oldest webhook delivery not yet made",
}
LABELLED_GAUGES: Final[dict[LabelledGaugeName, tuple[str, str]]] = {
    "mcp_dependency_up": ("dependency", "Whether what this process depends on is healthy"),
    "mcp_jobs_dead": ("kind", "Background jobs that were given up"),
    "mcp_jobs_overdue_seconds": (
        "kind",
        "How long the oldest due background job has waited",
    ),
    "mcp_keys_expiring": (
        "within",
        "API keys in use, not rotated, that expire within 1d, 7d or 30d",
    ),
    "mcp_upstream_circuit_open": (
        "upstream",
        "Whether an upstream's host kept failing and has not answered since",
    ),
}
"""Each with its one label."""
ALWAYS_SHOWN: Final[frozenset[GaugeName]] = frozenset(
    {"database_connections_active", "redis_connections_active", "chat_sessions_active"}
)
"""Read 0 while nothing has said otherwise: without Redis, none of its connections is in use."""


class SystemGauges(Collector):
    """The load of the machine."""

    def __init__(self, system: SystemMonitor, *, registry: CollectorRegistry) -> None:
        self._system = system
        registry.register(self)

    @override
    def collect(self) -> Iterator[Metric]:
        load = self._system.refresh()
        for resource, meaning, percent in (
            ("cpu", "CPU in use, of the machine", load.cpu_percent),
            ("memory", "Memory in use, of the machine", load.memory_percent),
            ("disk", "Disk in use, of the one the data directory is on", load.disk_percent),
        ):
            yield GaugeMetricFamily(f"system_{resource}_usage_percent", meaning, value=percent)


class SourcedGauges(Collector):
    """Gauges that somebody lent a way to be read."""

    def __init__(self, *, registry: CollectorRegistry) -> None:
        self.sources: dict[GaugeName, Callable[[], float]] = {}
        self.labelled_sources: dict[LabelledGaugeName, Callable[[], Mapping[str, float]]] = {}
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
        yield from self._labelled()

    def _labelled(self) -> Iterator[Metric]:
        for name, read in self.labelled_sources.items():
            label, documentation = LABELLED_GAUGES[name]
            family = GaugeMetricFamily(name, documentation, labels=[label])
            try:
                for labelled, value in read().items():
                    family.add_metric([labelled], float(value))
            except Exception:
                log.exception("gauge_unreadable", gauge=name)
                continue
            yield family
