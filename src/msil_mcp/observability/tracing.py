"""Spans of a request's way through the product; nothing at all unless an endpoint is set."""

from collections.abc import Mapping
from types import TracebackType
from typing import Final, Literal, Protocol

from typing_extensions import override

from msil_mcp.settings import Settings

SpanKind = Literal["internal", "server", "client"]
Attribute = str | bool | int | float
TRACEPARENT: Final = "traceparent"


class Span(Protocol):
    """A running piece of work; ends with its `with` block, failed when an exception leaves it."""

    def __enter__(self) -> "Span":
        """Make this the span that others are under."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None:
        """End it."""
        ...

    def rename(self, name: str, /) -> None:
        """Give it the name that was not known when it began."""
        ...

    def set(self, key: str, value: Attribute, /) -> None:
        """Add an attribute."""
        ...

    def fail(self, error_type: str, /) -> None:
        """Mark it failed for a reason of few kinds, such as an error's slug."""
        ...


class RemoteParent(Protocol):
    """Where a trace came from, as `Tracer.extract` understood it."""


class Tracer(Protocol):
    """Makes spans and carries their context in and out of the process, as W3C Trace Context."""

    @property
    def enabled(self) -> bool:
        """Whether it is worth gathering attributes."""
        ...

    def span(
        self,
        name: str,
        attributes: Mapping[str, Attribute] | None = None,
        *,
        kind: SpanKind = "internal",
        parent: RemoteParent | None = None,
    ) -> Span:
        """A span under the running one, or under a remote parent."""
        ...

    def extract(self, carrier: Mapping[str, str], /) -> RemoteParent | None:
        """The remote parent in HTTP headers or in an MCP request's `_meta`; None without one."""
        ...

    def traceparent(self) -> str | None:
        """The running span as a `traceparent` header value, for a request that leaves."""
        ...

    def close(self) -> None:
        """Send what is still waiting."""
        ...


class NoSpan(Span):
    """Records nothing."""

    __slots__ = ()

    @override
    def __enter__(self) -> "NoSpan":
        return self

    @override
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing to end."""

    @override
    def rename(self, name: str) -> None:
        """Nothing to name."""

    @override
    def set(self, key: str, value: Attribute) -> None:
        """Nowhere to put it."""

    @override
    def fail(self, error_type: str) -> None:
        """Nothing to mark."""


NO_SPAN: Final = NoSpan()


class NoTracer(Tracer):
    """Tracing that is off."""

    __slots__ = ()
    enabled: Final = False

    @override
    def span(
        self,
        name: str,
        attributes: Mapping[str, Attribute] | None = None,
        *,
        kind: SpanKind = "internal",
        parent: RemoteParent | None = None,
    ) -> NoSpan:
        """The one span that records nothing."""
        return NO_SPAN

    @override
    def extract(self, carrier: Mapping[str, str]) -> None:
        """Nothing would use it."""

    @override
    def traceparent(self) -> None:
        """No span is running."""

    @override
    def close(self) -> None:
        """Nothing waits."""


NO_TRACER: Final = NoTracer()


def build_tracer(settings: Settings) -> Tracer:
    """A tracer that exports over OTLP/HTTP when an endpoint is set, else one that does nothing."""
    if not settings.otel_exporter_otlp_endpoint:
        return NO_TRACER
    # The SDK takes a quarter of a second to import, which only those who trace should pay.
    from msil_mcp.observability.otlp import OtlpTracer

    return OtlpTracer(
        endpoint=settings.otel_exporter_otlp_endpoint, service_name=settings.otel_service_name
    )


def trace_tool_call(
    tracer: Tracer, tool: str, *, protocol_version: str = "", parent: RemoteParent | None = None
) -> Span:
    """The span of one `tools/call`, named and described as OpenTelemetry's MCP conventions say."""
    if not tracer.enabled:
        return NO_SPAN
    attributes: dict[str, Attribute] = {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": tool,
    }
    if protocol_version:
        attributes["mcp.protocol.version"] = protocol_version
    return tracer.span(f"tools/call {tool}", attributes, kind="server", parent=parent)


def trace_upstream(tracer: Tracer, method: str, *, host: str, port: int, template: str) -> Span:
    """The span of one request upstream, around which `tracer.traceparent()` is its header."""
    if not tracer.enabled:
        return NO_SPAN
    return tracer.span(
        f"{method} {template}",
        {
            "http.request.method": method,
            "server.address": host,
            "server.port": port,
            "url.template": template,
        },
        kind="client",
    )
