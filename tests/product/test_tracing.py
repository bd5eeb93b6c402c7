"""One trace of a call through the whole product, as a real OTLP/HTTP collector receives it."""

from collections.abc import Iterator

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from starlette.applications import Starlette
from starlette.routing import Route

from databases import Templates, settings_for
from observability.test_tracing import Collector, attributes
from product.ledger import READ, Ledger, publish
from product.polling import eventually
from running import Product, serving
from running import product as running_product

pytestmark = pytest.mark.anyio

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"


@pytest.fixture
def traced_product(
    templates: Templates, booking_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Product, Collector]]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    collector = Collector()
    app = Starlette(routes=[Route("/v1/traces", collector.receive, methods=["POST"])])
    with serving(app) as (url, _), templates.clone("sqlite") as database:
        settings = settings_for(database, otel_exporter_otlp_endpoint=url)
        with running_product(settings, booking_url=booking_url) as product:
            yield product, collector


async def test_a_call_is_one_trace_from_the_caller_to_the_upstream(
    traced_product: tuple[Product, Collector], ledger: Ledger
) -> None:
    product, collector = traced_product
    await publish(product, ledger)
    headers = {"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Correlation-ID": "order-7"}
    reply = await product.request(
        "POST", f"/api/tools/{READ}/call", json={"arguments": {"number": 7}}, headers=headers
    )
    assert reply.status == 200, reply.body
    untraced = await product.call(READ, {"number": 8})
    assert untraced.status == 200

    def ours() -> dict[str, WireSpan]:
        return {span.name: span for span in collector.spans if span.trace_id.hex() == TRACE}

    async def received() -> bool:
        return f"tools/call {READ}" in ours() and len(collector.spans) >= 3 + 3

    await eventually(received, within=5)
    named = ours()
    assert len(named) == 3, sorted(named)
    request = named["POST /api/tools/{name}/call"]
    call = named[f"tools/call {READ}"]
    sent = named["GET /pages/{number}"]
    assert request.parent_span_id.hex() == CALLER
    assert call.parent_span_id == request.span_id
    assert sent.parent_span_id == call.span_id
    assert (request.kind, sent.kind) == (WireSpan.SPAN_KIND_SERVER, WireSpan.SPAN_KIND_CLIENT)
    assert attributes(sent)["http.response.status_code"] == 200
    assert {attributes(span)["msil.correlation_id"] for span in named.values()} == {"order-7"}

    first, second = ledger.requests
    assert first["traceparent"] == f"00-{TRACE}-{sent.span_id.hex()}-01"
    assert first["x-correlation-id"] == "order-7"
    other = second["traceparent"].split("-")[1]
    assert other != TRACE
    found = product.query(
        "SELECT trace_id, correlation_id FROM audit_records WHERE kind = 'tool.call' "
        "ORDER BY sequence"
    )
    assert [row.trace_id for row in found] == [TRACE, other]
    assert found[0].correlation_id == "order-7"
