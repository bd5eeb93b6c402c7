"""The one tree of domain errors, and its one mapping to HTTP (RFC 9457 problem details).

Each door has one mapper: HTTP here, JSON-RPC in `msil_mcp.mcp`, SSE in `msil_mcp.chat`.
A subclass carries its status, JSON-RPC code and a stable slug; its constructor takes facts and
writes the sentence a person or a model can act on.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from typing_extensions import override

PROBLEM_JSON = "application/problem+json"
ERROR_BASE = "https://msil-mcp.invalid/errors/"


class MsilError(Exception):
    """Root of every error this product raises on purpose; `str(error)` is the sentence to show."""

    status: ClassVar[int] = 500
    code: ClassVar[int] = -32603
    slug: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    @property
    def headers(self) -> Mapping[str, str]:
        """Response headers that belong to the error, such as Retry-After."""
        return {}

    @property
    def facts(self) -> Mapping[str, Any]:
        """Extra members of the problem document; JSON values only, never secrets."""
        return {}


class BadRequest(MsilError):
    """The request itself is wrong; repeating it unchanged cannot help."""

    status = 400
    code = -32602
    slug = "bad_request"
    title = "Bad request"


class Unauthenticated(MsilError):
    """No credential, or one that does not hold; `challenge` is the WWW-Authenticate value."""

    status = 401
    code = -32001
    slug = "unauthenticated"
    title = "Authentication required"

    def __init__(self, sentence: str, *, challenge: str = "Bearer") -> None:
        super().__init__(sentence)
        self.challenge = challenge

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": self.challenge}


class Forbidden(MsilError):
    """The caller is known and may not do this."""

    status = 403
    code = -32003
    slug = "forbidden"
    title = "Forbidden"


class NotFound(MsilError):
    """There is no such thing, or the caller may not know that there is."""

    status = 404
    code = -32602
    slug = "not_found"
    title = "Not found"


class Conflict(MsilError):
    """The request contradicts the present state."""

    status = 409
    code = -32602
    slug = "conflict"
    title = "Conflict"


class ContentTooLarge(MsilError):
    """The body is larger than configured."""

    status = 413
    slug = "content_too_large"
    title = "Content too large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The request body is larger than {limit} bytes.")


class Unprocessable(MsilError):
    """Well formed, and still not acceptable."""

    status = 422
    code = -32602
    slug = "unprocessable"
    title = "Unprocessable content"


class TooManyRequests(MsilError):
    """A limit was reached; `retry_after` is in seconds."""

    status = 429
    code = -32029
    slug = "rate_limited"
    title = "Too many requests"

    def __init__(self, sentence: str, *, retry_after: float) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(max(1, round(self.retry_after)))}


class Unavailable(MsilError):
    """This process cannot serve safely just now; `retry_after` is in seconds."""

    status = 503
    code = -32050
    slug = "unavailable"
    title = "Service unavailable"

    def __init__(self, sentence: str, *, retry_after: float = 1.0) -> None:
        super().__init__(sentence)
        self.retry_after = retry_after

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {"Retry-After": str(max(1, round(self.retry_after)))}


def problem_document(error: MsilError, *, correlation_id: str | None) -> dict[str, Any]:
    """RFC 9457 members for an error; `type` ends in the error's slug."""
    body: dict[str, Any] = {
        "type": ERROR_BASE + error.slug,
        "title": error.title,
        "status": error.status,
        "detail": str(error) or error.title,
        "code": error.slug,
    }
    if correlation_id:
        body["correlation_id"] = correlation_id
    body.update(error.facts)
    return body


def problem_response(error: MsilError, *, correlation_id: str | None) -> Response:
    """The HTTP answer for an error."""
    return Response(
        msgspec.json.encode(problem_document(error, correlation_id=correlation_id)),
        status_code=error.status,
        media_type=PROBLEM_JSON,
        headers=dict(error.headers),
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Every error of every REST route leaves as application/problem+json."""
    app.add_exception_handler(MsilError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)


def _correlation_id(request: Request) -> str | None:
    value = request.scope.get("state", {}).get("correlation_id")
    return value if isinstance(value, str) else None


async def _on_domain_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, MsilError):
        raise error
    return problem_response(error, correlation_id=_correlation_id(request))


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [
        {"pointer": "/" + "/".join(map(str, item["loc"])), "detail": item["msg"]}
        for item in error.errors()
    ]
    first = problems[0] if problems else {"pointer": "/", "detail": "is not valid"}
    body = problem_document(
        Unprocessable(f"{first['pointer']}: {first['detail']}"),
        correlation_id=_correlation_id(request),
    )
    return JSONResponse(body | {"errors": problems}, status_code=422, media_type=PROBLEM_JSON)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    body = {
        "type": "about:blank",
        "title": error.detail,
        "status": error.status_code,
        "detail": error.detail,
        "correlation_id": _correlation_id(request),
    }
    return JSONResponse(
        body, status_code=error.status_code, media_type=PROBLEM_JSON, headers=error.headers
    )
