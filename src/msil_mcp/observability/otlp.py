"""Spans recorded by the OpenTelemetry SDK and sent over OTLP/HTTP in batches."""

from collections.abc import Mapping
from contextvars import Token
from importlib.metadata import version
from types import TracebackType
from typing import Final

from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from typing_extensions import override

from msil_mcp.observability.context import correlation_id, trace_ids
from msil_mcp.observability.tracing import (
    TRACEPARENT,
    Attribute,
    RemoteParent,
    Span,
    SpanKind,
    Tracer,
)

KINDS: Final[Mapping[SpanKind, otel.SpanKind]] = {
    "internal": otel.SpanKind.INTERNAL,
    "server": otel.SpanKind.SERVER,
    "client": otel.SpanKind.CLIENT,
}
TRACES_PATH: Final = "/v1/traces"
CORRELATION: Final = "msil.correlation_id"


class OtlpSpan(Span):
    """A span of the SDK that is current, also for the log, between enter and exit."""

    __slots__ = ("_attached", "_ids", "_span")

    def __init__(self, span: otel.Span) -> None:
        self._span = span

    @override
    def __enter__(self) -> "OtlpSpan":
        self._attached = otel_context.attach(otel.set_span_in_context(self._span))
        found = self._span.get_span_context()
        self._ids: Token[tuple[str, str] | None] = trace_ids.set(
            (otel.format_trace_id(found.trace_id), otel.format_span_id(found.span_id))
        )
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, Exception):
            # Its message may hold what may not leave; the log has it, masked, with the trace id.
            self.fail(type(error).__qualname__)
        trace_ids.reset(self._ids)
        otel_context.detach(self._attached)
        self._span.end()

    @override
    def rename(self, name: str) -> None:
        self._span.update_name(name)

    @override
    def set(self, key: str, value: Attribute) -> None:
        self._span.set_attribute(key, value)

    @override
    def fail(self, error_type: str) -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(otel.StatusCode.ERROR)


class OtlpTracer(Tracer):
    """Samples as OTEL_TRACES_SAMPLER says; nothing is registered for the whole process."""

    def __init__(self, *, endpoint: str, service_name: str) -> None:
        url = endpoint.rstrip("/")
        resource = Resource.create(
            {"service.name": service_name, "service.version": version("msil-mcp")}
        )
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(
            endpoint=url if url.endswith(TRACES_PATH) else url + TRACES_PATH
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("msil_mcp", version("msil-mcp"))
        self._propagator = TraceContextTextMapPropagator()

    @property
    @override
    def enabled(self) -> bool:
        return True

    @override
    def span(
        self,
        name: str,
        attributes: Mapping[str, Attribute] | None = None,
        *,
        kind: SpanKind = "internal",
        parent: RemoteParent | None = None,
    ) -> OtlpSpan:
        correlation = correlation_id.get()
        described = dict(attributes or {})
        if correlation:
            described[CORRELATION] = correlation
        links: tuple[otel.Link, ...] = ()
        around = parent if isinstance(parent, Context) else None
        if around is not None:
            # The request that carried a message is not its parent, and is still worth finding.
            ambient = otel.get_current_span().get_span_context()
            links = (otel.Link(ambient),) if ambient.is_valid else ()
        return OtlpSpan(
            self._tracer.start_span(
                name, context=around, kind=KINDS[kind], attributes=described, links=links
            )
        )

    @override
    def extract(self, carrier: Mapping[str, str]) -> RemoteParent | None:
        if TRACEPARENT not in carrier:
            return None
        found = self._propagator.extract(carrier)
        return found if otel.get_current_span(found).get_span_context().is_valid else None

    @override
    def traceparent(self) -> str | None:
        running = otel.get_current_span().get_span_context()
        if not running.is_valid:
            return None
        return (
            f"00-{otel.format_trace_id(running.trace_id)}"
            f"-{otel.format_span_id(running.span_id)}-{running.trace_flags:02x}"
        )

    @override
    def close(self) -> None:
        self._provider.shutdown()
