"""Spans as a real OTLP/HTTP collector receives them."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from msil_mcp.observability.context import trace_ids
from msil_mcp.observability.tracing import (
    NO_TRACER,
    Tracer,
    build_tracer,
    trace_tool_call,
    trace_upstream,
)
from msil_mcp.settings import Settings
from observability.serving import serving, watched_app

pytestmark = pytest.mark.anyio

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@dataclass
class Collector:
    url: str = ""
    spans: list[WireSpan] = field(default_factory=list)
    services: set[str] = field(default_factory=set)

    async def receive(self, request: Request) -> Response:
        batch = ExportTraceServiceRequest.FromString(await request.body())
        for resource in batch.resource_spans:
            named = {item.key: item.value.string_value for item in resource.resource.attributes}
            self.services.add(named["service.name"])
            for scope in resource.scope_spans:
                self.spans.extend(scope.spans)
        return Response(b"", media_type="application/x-protobuf")

    def named(self, name: str) -> WireSpan:
        (found,) = (span for span in self.spans if span.name == name)
        return found


def attributes(span: WireSpan) -> dict[str, str | int]:
    return {item.key: item.value.string_value or item.value.int_value for item in span.attributes}


@asynccontextmanager
async def tracing() -> AsyncIterator[tuple[Collector, Tracer]]:
    """A collector and a tracer that sends to it; leaving flushes the tracer."""
    collector = Collector()
    app = Starlette(routes=[Route("/v1/traces", collector.receive, methods=["POST"])])
    async with serving(app) as url:
        settings = Settings(
            _env_file=None, otel_exporter_otlp_endpoint=url, otel_service_name="msil-test"
        )
        tracer = build_tracer(settings)
        try:
            yield collector, tracer
        finally:
            await asyncio.to_thread(tracer.close)


async def test_a_request_is_one_trace_from_the_caller_to_the_upstream(
    settings: Settings, client: aiohttp.ClientSession
) -> None:
    async with tracing() as (collector, tracer):
        watched, app = watched_app(settings, tracer=tracer)
        sent_upstream: list[str | None] = []
        logged: list[tuple[str, str] | None] = []

        @watched.app.post("/call/{tool}")
        async def call(tool: str) -> None:
            with (
                trace_tool_call(tracer, "resolve_vehicle", protocol_version="2026-07-28"),
                trace_upstream(
                    tracer, "POST", host="api.example", port=443, template="/vehicle/resolve"
                ),
            ):
                sent_upstream.append(tracer.traceparent())
                logged.append(trace_ids.get())

        headers = {"traceparent": PARENT, "X-Correlation-ID": "order-7"}
        async with serving(app) as url, client.post(url + "/call/x", headers=headers) as response:
            assert response.status == 200

    assert collector.services == {"msil-test"}
    server = collector.named("POST /call/{tool}")
    tool = collector.named("tools/call resolve_vehicle")
    upstream = collector.named("POST /vehicle/resolve")
    assert server.parent_span_id.hex() == "b7ad6b7169203331"
    assert tool.parent_span_id == server.span_id
    assert upstream.parent_span_id == tool.span_id
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    assert {span.trace_id.hex() for span in collector.spans} == {trace_id}
    assert sent_upstream == [f"00-{trace_id}-{upstream.span_id.hex()}-01"]
    assert logged == [(trace_id, upstream.span_id.hex())]

    assert server.kind == WireSpan.SPAN_KIND_SERVER
    assert attributes(server) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/call/{tool}",
        "http.response.status_code": 200,
        "msil.correlation_id": "order-7",
    }
    assert attributes(tool) == {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": "2026-07-28",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "resolve_vehicle",
        "msil.correlation_id": "order-7",
    }
    assert upstream.kind == WireSpan.SPAN_KIND_CLIENT
    assert attributes(upstream)["server.address"] == "api.example"


async def test_a_failed_request_is_a_failed_span_without_the_error_s_words(
    settings: Settings, client: aiohttp.ClientSession
) -> None:
    async with tracing() as (collector, tracer):
        _, app = watched_app(settings, tracer=tracer)
        async with serving(app) as url, client.get(url + "/api/chat/broken") as response:
            assert response.status == 500
        with pytest.raises(LookupError), trace_tool_call(tracer, "x"):
            raise LookupError("9876543210 is not known")
    server = collector.named("GET /api/chat/broken")
    assert server.status.code == Status.STATUS_CODE_ERROR
    assert attributes(server)["error.type"] == "500"
    assert attributes(collector.named("tools/call x"))["error.type"] == "LookupError"
    assert "hunter2" not in str(collector.spans)
    assert "9876543210" not in str(collector.spans)


async def test_a_parent_in_the_message_wins_and_the_request_is_linked() -> None:
    async with tracing() as (collector, tracer):
        with tracer.span("POST /mcp", kind="server"):
            parent = tracer.extract({"traceparent": PARENT})
            with trace_tool_call(tracer, "get_booking_status", parent=parent):
                pass
    request = collector.named("POST /mcp")
    tool = collector.named("tools/call get_booking_status")
    assert tool.parent_span_id.hex() == "b7ad6b7169203331"
    assert [link.span_id for link in tool.links] == [request.span_id]


@pytest.mark.parametrize("value", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
async def test_a_traceparent_that_is_none_starts_a_new_trace(value: str) -> None:
    async with tracing() as (_, tracer):
        assert tracer.extract({"traceparent": value}) is None
        assert tracer.traceparent() is None


def test_without_an_endpoint_nothing_is_traced_or_imported(settings: Settings) -> None:
    tracer = build_tracer(settings)
    assert tracer is NO_TRACER
    with trace_tool_call(tracer, "x") as span:
        span.rename("y")
        span.set("a", 1)
        span.fail("z")
        assert tracer.traceparent() is None
        assert tracer.extract({"traceparent": PARENT}) is None
    tracer.close()
    modules = "logging, monitoring, health, tracing, readiness"
    script = (
        f"import sys; from msil_mcp.observability import {modules}\n"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', "
        "'opentelemetry.exporter'))])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
