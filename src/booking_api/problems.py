"""RFC 9457: every refusal leaves as application/problem+json, and the document says so."""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import Response

from booking_api.errors import BookingError, DatabaseBusy
from booking_api.middleware import CORRELATION_HEADER

PROBLEM_JSON: Final = "application/problem+json"
TYPE_BASE: Final = "https://booking.invalid/problems/"
_SHOWN_ERRORS: Final = 10


class InvalidField(BaseModel):
    """One field of the request that was refused."""

    location: str = Field(description="Where the field is: body, path or header.")
    field: str = Field(description="The field's name; empty when the whole body is meant.")
    detail: str = Field(description="What is wrong and what is accepted.")


class Problem(BaseModel):
    """Problem details (RFC 9457): why the request was refused and what to do."""

    type: str = Field(
        description="URI of the kind of problem; it ends in the code.",
        examples=["https://booking.invalid/problems/slot_full"],
    )
    title: str = Field(description="The kind of problem in words.", examples=["Slot is full"])
    status: int = Field(description="The HTTP status.", examples=[409])
    detail: str = Field(description="What happened in this case, and what to do next.")
    instance: str = Field(description="The path that was called.", examples=["/api/booking/create"])
    code: str = Field(
        description="Stable name of the kind of problem, for programs.", examples=["slot_full"]
    )
    errors: list[InvalidField] = Field(
        default=[], description="The refused fields, when the request was not valid."
    )


def refusals(*errors: type[BookingError]) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route: its domain errors, and what any request may meet."""
    titles: dict[int, list[str]] = {422: ["Invalid request"], 503: [DatabaseBusy.title]}
    for error in errors:
        titles.setdefault(error.status, []).append(error.title)
    return {
        status: {"model": Problem, "description": "; ".join(titles[status])}
        for status in sorted(titles)
    }


def install_problem_handlers(app: FastAPI) -> None:
    """Map every error of this service, the framework's and the database's to a problem."""
    app.add_exception_handler(BookingError, _on_booking_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)
    for unavailable in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(unavailable, _on_database_unavailable)
    app.add_exception_handler(Exception, _on_failure)


def _respond(
    request: Request,
    *,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: list[InvalidField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem = Problem(
        type=TYPE_BASE + code,
        title=title,
        status=status,
        detail=detail,
        instance=request.url.path,
        code=code,
        errors=errors or [],
    )
    # ASCII only: a field name taken from the request may hold what UTF-8 cannot.
    content = json.dumps(problem.model_dump(exclude_defaults=True))
    return Response(content, status_code=status, media_type=PROBLEM_JSON, headers=headers)


async def _on_booking_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, BookingError):
        raise error
    wait = error.retry_after
    return _respond(
        request,
        status=error.status,
        code=error.slug,
        title=error.title,
        detail=str(error),
        headers={"Retry-After": str(wait)} if wait else None,
    )


async def _on_database_unavailable(request: Request, _: Exception) -> Response:
    return await _on_booking_error(request, DatabaseBusy())


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    if any(item["type"] == "json_invalid" for item in found):
        return _malformed(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if isinstance(error.body, bytes) and error.body and media_type != "application/json":
        return _respond(
            request,
            status=415,
            code="unsupported_media_type",
            title="Unsupported media type",
            detail="The body is not declared as JSON. Send Content-Type: application/json.",
        )
    errors = [_invalid_field(item) for item in found[:_SHOWN_ERRORS]]
    shown = "; ".join(f"{item.field or item.location} {item.detail}" for item in errors)
    return _respond(
        request,
        status=422,
        code="invalid_request",
        title="Invalid request",
        detail=f"{shown}.",
        errors=errors,
    )


def _invalid_field(item: Mapping[str, Any]) -> InvalidField:
    location, *path = item["loc"]
    sentences = {
        "missing": "is required",
        "extra_forbidden": "is not a field of this request: remove it",
    }
    # A value error carries its own sentence; the library only prefixes it. The value itself is
    # never repeated: it may be personal.
    detail = sentences.get(item["type"]) or item["msg"].removeprefix("Value error, ")
    return InvalidField(location=str(location), field=".".join(map(str, path))[:100], detail=detail)


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 400:
        return _malformed(request)
    code, title, detail = {
        404: (
            "no_such_path",
            "No such path",
            "There is nothing at this path; /openapi.json lists what there is.",
        ),
        405: (
            "method_not_allowed",
            "Method not allowed",
            f"This path does not take {request.method}; /openapi.json lists what it takes.",
        ),
        413: ("body_too_large", "Body too large", error.detail),
    }.get(error.status_code, ("http_error", "HTTP error", error.detail))
    return _respond(
        request,
        status=error.status_code,
        code=code,
        title=title,
        detail=detail,
        headers=error.headers,
    )


def _malformed(request: Request) -> Response:
    return _respond(
        request,
        status=400,
        code="malformed_json",
        title="Malformed JSON",
        detail="The body is not valid JSON in UTF-8. Send one JSON object.",
    )


async def _on_failure(request: Request, _: Exception) -> Response:
    # Sent from outside the edge, so the id is added here; the server logs the error itself.
    return _respond(
        request,
        status=500,
        code="internal_error",
        title="Internal error",
        detail="Something failed inside the booking service. Report the correlation id.",
        headers={CORRELATION_HEADER: request.state.correlation_id},
    )
