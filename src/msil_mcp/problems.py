"""Errors as HTTP answers: RFC 9457 problem documents, in the language of whoever asked.

What programs decide by never changes with the language: `type`, `code`, `status`, pointers.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

from msil_mcp.errors import ERROR_BASE, MsilError, Unprocessable
from msil_mcp.locales import ENGLISH, Language, Message, entries, language_of
from msil_mcp.locales.views import in_language
from msil_mcp.wrong_fields import explain_field

PROBLEM_JSON: Final = "application/problem+json"


class InvalidField(BaseModel):
    """One thing that is wrong with a request, and where: a JSON pointer from its root."""

    pointer: str
    detail: str


class Problem(BaseModel):
    """The RFC 9457 document every refused REST request is answered with."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str | None = Field(default=None, description="Stable name of the error.")
    correlation_id: str | None = Field(default=None, description="Finds the request in the logs.")
    errors: list[InvalidField] | None = None


def problems(*errors: type[MsilError]) -> dict[int | str, dict[str, Any]]:
    """`responses=` of a route that may be refused with these errors."""
    titles: dict[int, list[str]] = {}
    for error in errors:
        titles.setdefault(error.status, []).append(error.title)
    return {
        status: {"model": Problem, "description": ", or ".join(said)}
        for status, said in titles.items()
    }


class InvalidRequest(Unprocessable):
    """Parts of the request are missing or not what the route takes."""

    def __init__(self, found: list[tuple[str, Message]]) -> None:
        pointer, detail = found[0] if found else ("/", Message("fields.other"))
        super().__init__(case="field", pointer=pointer, problem=detail)


def problem_document(
    error: MsilError, *, correlation_id: str | None, language: Language = ENGLISH
) -> dict[str, Any]:
    """RFC 9457 members for an error; `type` ends in the error's slug."""
    body: dict[str, Any] = {
        "type": ERROR_BASE + error.slug,
        "title": error.titled(language),
        "status": error.status,
        "detail": error.message.told(language),
        "code": error.slug,
    }
    if correlation_id:
        body["correlation_id"] = correlation_id
    body.update(error.facts)
    return body


def problem_response(
    error: MsilError, scope: Scope, *, language: Language | None = None
) -> Response:
    """The HTTP answer for an error; in the language of the request unless one is given."""
    language = language or language_of(scope)
    body = problem_document(error, correlation_id=_correlation_id(scope), language=language)
    return _answer(body, status=error.status, headers=error.headers, language=language)


def install_problem_handlers(app: FastAPI) -> None:
    """Every error of every REST route leaves as application/problem+json."""
    app.add_exception_handler(MsilError, _on_domain_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_error)


def _answer(
    body: Mapping[str, Any], *, status: int, headers: Mapping[str, str], language: Language
) -> Response:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={**headers, **in_language(language)},
    )


def _correlation_id(scope: Scope) -> str | None:
    value = scope.get("state", {}).get("correlation_id")
    return value if isinstance(value, str) else None


async def _on_domain_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, MsilError):
        raise error
    return problem_response(error, request.scope)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    language = language_of(request.scope)
    found = [
        ("/" + "/".join(map(str, item["loc"])), explain_field(item)) for item in error.errors()
    ]
    refused = InvalidRequest(found)
    body = problem_document(
        refused, correlation_id=_correlation_id(request.scope), language=language
    )
    body["errors"] = [
        {"pointer": pointer, "detail": detail.told(language)} for pointer, detail in found
    ]
    return _answer(body, status=refused.status, headers={}, language=language)


async def _on_http_error(request: Request, error: Exception) -> Response:
    """What the framework refuses by itself: no such path, no such method."""
    if not isinstance(error, HTTPException):
        raise error
    language = language_of(request.scope)
    known, key = entries(language), f"http.{error.status_code}"
    body = {
        "type": "about:blank",
        "title": known.get(f"{key}.title", error.detail),
        "status": error.status_code,
        "detail": known.get(f"{key}.detail", error.detail),
        "correlation_id": _correlation_id(request.scope),
    }
    return _answer(body, status=error.status_code, headers=error.headers or {}, language=language)
