"""The outermost edge of HTTP: an id, a metric, a span and a log line for every request."""

import time
from typing import Any, Final

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from msil_mcp.errors import MsilError
from msil_mcp.locales import Language
from msil_mcp.observability.context import (
    CORRELATION_HEADER_BYTES,
    accept_correlation_id,
    correlation_id,
    new_correlation_id,
)
from msil_mcp.observability.metrics import Metrics
from msil_mcp.observability.tracing import NO_TRACER, Tracer
from msil_mcp.problems import problem_response

__all__ = ["Metrics", "MonitoringMiddleware", "label_endpoint"]

UNMATCHED: Final = "unmatched"
ABANDONED: Final = 499
"""Status recorded when the client left before an answer began; it is never sent."""

METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"}
)

log = structlog.get_logger()


class UnexpectedError(MsilError):
    """Something nobody foresaw; what it was stays in the log."""

    def __init__(self, correlation: str) -> None:
        super().__init__(case="unexpected", correlation_id=correlation)


class MonitoringMiddleware:
    """The last one added to an application, so that it is outside of every other.

    Sets `scope["state"]["correlation_id"]`, echoes it as X-Correlation-ID, and answers an error
    that nothing inside has answered: in the language of the request, or in `language` where one is
    given. An inner app may name its endpoint for the metrics in
    `scope["state"]["endpoint"]`; otherwise it is the matched route's template.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        metrics: Metrics,
        tracer: Tracer = NO_TRACER,
        language: Language | None = None,
    ) -> None:
        self._app = app
        self._language = language
        self._metrics = metrics
        self._tracer = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
            return
        correlation = _correlation_of(scope)
        scope.setdefault("state", {})["correlation_id"] = correlation
        correlation_id.set(correlation)
        if kind == "websocket":
            await self._app(scope, receive, _echoing(send, correlation))
        elif self._tracer.enabled:
            await self._serve_traced(scope, receive, send, correlation)
        else:
            await self._serve(scope, receive, send, correlation)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, correlation: str) -> int:
        started = time.perf_counter()
        root = scope.get("root_path", "")
        status = 0
        complete = False
        streaming_since = 0.0

        async def answer(message: Message) -> None:
            nonlocal status, complete, streaming_since
            if message["type"] == "http.response.start":
                status = message["status"]
                if _is_event_stream(message):
                    streaming_since = time.perf_counter()
                message = _with_correlation(message, correlation)
            elif not message.get("more_body", False):
                complete = True
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            if status and not complete:
                # Too late for another answer: the server logs this and breaks the connection.
                raise
            if complete:
                # Starlette raises again what its own error page has answered.
                log.exception("request_failed")
            else:
                response = _response_to(error, scope, correlation, language=self._language)
                await response(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - started
            method = scope["method"]
            endpoint = endpoint_of(scope, root=root)
            status = status or ABANDONED
            # A stream is open for as long as somebody listens: what it took is until it began.
            answered = streaming_since - started if streaming_since else seconds
            self._metrics.record_request(
                method if method in METHODS else "other", endpoint, str(status), answered
            )
            log.info(
                "http_request",
                method=method[:16],
                endpoint=endpoint,
                status=status,
                duration_ms=round(seconds * 1000, 3),
            )
        return status

    async def _serve_traced(
        self, scope: Scope, receive: Receive, send: Send, correlation: str
    ) -> None:
        root = scope.get("root_path", "")
        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in {b"traceparent", b"tracestate"}
        }
        with self._tracer.span(
            method,
            {"http.request.method": method, "url.scheme": scope.get("scheme", "http")},
            kind="server",
            parent=self._tracer.extract(headers),
        ) as span:
            status = await self._serve(scope, receive, send, correlation)
            endpoint = endpoint_of(scope, root=root)
            if endpoint != UNMATCHED:
                span.rename(f"{method} {endpoint}")
                span.set("http.route", endpoint)
            span.set("http.response.status_code", status)
            if status >= 500:
                span.fail(str(status))


def label_endpoint(app: ASGIApp, endpoint: str) -> ASGIApp:
    """The app under one endpoint label, for mounted apps without routes, such as static files."""

    async def labelled(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["endpoint"] = endpoint
        await app(scope, receive, send)

    return labelled


def endpoint_of(scope: Scope, *, root: str) -> str:
    """The template of the route that served the request; `root` is the path above the app."""
    named = scope["state"].get("endpoint")
    if isinstance(named, str):
        return named
    route = scope.get("route")
    if route is None:
        return UNMATCHED
    # A route of an included router knows its path only in the context FastAPI leaves here.
    included = scope.get("fastapi", {}).get("effective_route_context")
    path = getattr(included, "path", None) or getattr(route, "path", None)
    if not isinstance(path, str):
        return UNMATCHED
    mounted: str = scope.get("root_path", "")[len(root) :]
    return mounted + path


def _correlation_of(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == CORRELATION_HEADER_BYTES:
            return accept_correlation_id(value)
    return new_correlation_id()


def _is_event_stream(message: Message) -> bool:
    return any(
        name == b"content-type" and value.startswith(b"text/event-stream")
        for name, value in message.get("headers", ())
    )


def _with_correlation(message: Message, correlation: str) -> dict[str, Any]:
    header = (CORRELATION_HEADER_BYTES, correlation.encode("ascii"))
    return {**message, "headers": [*message.get("headers", ()), header]}


def _echoing(send: Send, correlation: str) -> Send:
    async def echo(message: Message) -> None:
        if message["type"] in {"websocket.accept", "websocket.http.response.start"}:
            message = _with_correlation(message, correlation)
        await send(message)

    return echo


def _response_to(
    error: Exception, scope: Scope, correlation: str, *, language: Language | None
) -> ASGIApp:
    if isinstance(error, MsilError):
        answer = error
    else:
        answer = UnexpectedError(correlation)
        log.error("request_failed", exc_info=error)
    return problem_response(answer, scope, language=language)
