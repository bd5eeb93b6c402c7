"""The last link of the chain: a governed call becomes an HTTP request and its answer a result."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Final

import structlog
from multidict import CIMultiDict

from msil_mcp.egress import (
    Answer,
    Egress,
    EgressError,
    UpstreamDisconnected,
    UpstreamGarbled,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from msil_mcp.errors import MsilError
from msil_mcp.observability.tracing import NO_TRACER, Tracer, trace_upstream
from msil_mcp.openapi.request import UpstreamRequest
from msil_mcp.settings import Settings
from msil_mcp.tools.call import ToolCall, ToolResult
from msil_mcp.upstream.answers import failure, result_of, retry_after
from msil_mcp.upstream.credentials import Credentials, Pairs
from msil_mcp.upstream.discipline import Circuit, Discipline, address_of, retry_delay
from msil_mcp.upstream.errors import CallBroke, DeadlinePassed, OutcomeUnknown

log = structlog.get_logger()

ACCEPT: Final = "application/json, text/*;q=0.8, */*;q=0.5"
OURS_ALONE: Final = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Header fields that no argument sets, whatever the document declares."""
SHORTEST_SECRET: Final = 8
FAILING: Final = frozenset({502, 503, 504})
PATIENCE_SECONDS: Final = 5.0
"""A timeout counts against a service only when it was given this long, or all there is."""


OnRequest = Callable[[str, str, float], None]


def _not_counted(_upstream: str, _status: str, _seconds: float) -> None:
    pass


class UpstreamInvoker:
    """Sends calls and reads answers; a ToolInvoker that raises nothing but CancelledError.

    `on_request` hears of every request that ended: the host, the status or the error's slug, and
    the seconds it took.
    """

    def __init__(
        self,
        *,
        egress: Egress,
        settings: Settings,
        credentials: Credentials,
        discipline: Discipline,
        tracer: Tracer = NO_TRACER,
        on_request: OnRequest = _not_counted,
    ) -> None:
        self._egress = egress
        self._credentials = credentials
        self._discipline = discipline
        self._tracer = tracer
        self._on_request = on_request
        self._timeout = settings.call_timeout_seconds
        self._max_bytes = settings.max_upstream_bytes

    async def invoke(self, call: ToolCall, /) -> ToolResult:
        """One answered request, or the reason there is none."""
        started = time.perf_counter()
        try:
            request: UpstreamRequest = call.tool.builder.build(call.arguments)
            secrets = await self._credentials.headers(call.tool, call.bundle)
            answer = await self._send(call, request, self._headers(call, request, secrets))
            if secrets:
                answer = _without(secrets, answer)
            return result_of(answer, is_write=call.tool.is_write)
        except EgressError as error:
            seconds = time.perf_counter() - started
            if error.dispatched and call.tool.is_write:
                return failure(OutcomeUnknown(), outcome="unknown", seconds=seconds)
            return failure(error, seconds=seconds)
        except MsilError as error:
            return failure(error, seconds=None)
        except Exception:  # The edge to the outside: a write that was sent never ends unrecorded.
            log.exception("upstream_call_broke", tool=call.tool.name)
            seconds = time.perf_counter() - started
            if call.tool.is_write:
                return failure(OutcomeUnknown(), outcome="unknown", seconds=seconds)
            return failure(CallBroke(), seconds=seconds)

    def _headers(
        self, call: ToolCall, request: UpstreamRequest, secrets: Pairs
    ) -> CIMultiDict[str]:
        headers: CIMultiDict[str] = CIMultiDict()
        for name, value in request.headers:
            if name.lower() not in OURS_ALONE:
                headers.add(name, value)
        headers.setdefault("Accept", ACCEPT)
        headers["X-Correlation-ID"] = call.correlation_id
        if call.idempotency_key is not None and call.tool.definition.idempotent_upstream:
            headers["Idempotency-Key"] = upstream_key(call)
        for name, value in secrets:
            headers[name] = value
        return headers

    async def _send(
        self, call: ToolCall, request: UpstreamRequest, headers: CIMultiDict[str]
    ) -> Answer:
        circuit = self._discipline.enter(call.tool.base_url)
        failed: bool | None = None
        try:
            if call.tool.is_write:
                answer = await self._attempt(call, request, headers)
            else:
                answer = await self._attempt_twice(call, request, headers, circuit)
            failed = answer.status in FAILING
        except UpstreamTimeout as error:
            failed = True if error.seconds >= min(PATIENCE_SECONDS, self._timeout) else None
            raise
        except (UpstreamUnreachable, UpstreamDisconnected, UpstreamGarbled):
            failed = True
            raise
        finally:
            self._discipline.leave(circuit, failed=failed)
        return answer

    async def _attempt_twice(
        self,
        call: ToolCall,
        request: UpstreamRequest,
        headers: CIMultiDict[str],
        circuit: Circuit,
    ) -> Answer:
        """The first answer, or the second where the first try of a read met a passing trouble."""
        delay = retry_delay()
        try:
            answer = await self._attempt(call, request, headers)
            if answer.status not in FAILING or retry_after(answer.headers):
                return answer
            if not self._may_repeat(call, circuit, delay):
                return answer
        except (UpstreamUnreachable, UpstreamDisconnected):
            if not self._may_repeat(call, circuit, delay):
                raise
        circuit.retrying += 1
        try:
            await asyncio.sleep(delay)
            return await self._attempt(call, request, headers)
        finally:
            circuit.retrying -= 1

    def _may_repeat(self, call: ToolCall, circuit: Circuit, delay: float) -> bool:
        time_is_left = call.deadline - time.monotonic() > 2 * delay
        return time_is_left and self._discipline.may_retry(circuit)

    async def _attempt(
        self, call: ToolCall, request: UpstreamRequest, headers: CIMultiDict[str]
    ) -> Answer:
        remaining = call.deadline - time.monotonic()
        if remaining <= 0:
            raise DeadlinePassed
        host, port = address_of(call.tool.base_url)
        template = call.tool.definition.request.path
        with trace_upstream(
            self._tracer, request.method, host=host, port=port, template=template
        ) as span:
            if (traceparent := self._tracer.traceparent()) is not None:
                headers["traceparent"] = traceparent
            started, status = time.perf_counter(), "abandoned"
            try:
                answer = await self._egress.request(
                    method=request.method,
                    url=request.url,
                    headers=headers,
                    body=request.body,
                    timeout_seconds=min(remaining, self._timeout),
                    max_bytes=self._max_bytes,
                    purpose="upstream",
                    allow_private=call.tool.allow_private,
                )
                status = str(answer.status)
            except EgressError as error:
                status = error.slug
                raise
            finally:
                self._on_request(host, status, time.perf_counter() - started)
            span.set("http.response.status_code", answer.status)
            if answer.status >= 500:
                span.fail(status)
        return answer


def upstream_key(call: ToolCall) -> str:
    """The Idempotency-Key a service sees: two callers with the same key never share an answer."""
    parts = (call.principal.id, str(call.tool.tool_id), call.idempotency_key or "")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]


def _without(secrets: Pairs, answer: Answer) -> Answer:
    """The answer with our own credential taken out, should the service have echoed it."""
    body = answer.body
    for _, value in secrets:
        secret = value.rpartition(" ")[2].encode()
        if len(secret) < SHORTEST_SECRET:
            continue
        for spelling in {secret, secret.replace(b"/", rb"\/")}:
            if spelling in body:
                body = body.replace(spelling, b"[credential removed]")
    return answer if body is answer.body else answer._replace(body=body)
