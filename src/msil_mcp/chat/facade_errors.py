"""Errors in the shape OpenAI's clients read, on the facade's routes only."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, NamedTuple

import msgspec
import structlog
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from msil_mcp.chat.turn_errors import BudgetSpent
from msil_mcp.db.database import translated_errors
from msil_mcp.errors import BadRequest, MsilError, TooManyRequests
from msil_mcp.llm.errors import (
    ContentRefused,
    ContextTooLong,
    ModelNotAllowed,
    ModelNotFound,
    ModelRateLimited,
)
from msil_mcp.locales import Language, Message, language_of
from msil_mcp.locales.views import in_language
from msil_mcp.wrong_fields import explain_field

log = structlog.get_logger()


class _Shape(NamedTuple):
    """What a client of OpenAI's expects of a kind of error."""

    status: int
    code: str


# Where OpenAI's statuses differ from ours, theirs are sent: clients decide by them.
SHAPES: Final[Mapping[type[MsilError], _Shape]] = {
    ContextTooLong: _Shape(400, "context_length_exceeded"),
    ContentRefused: _Shape(400, "content_filter"),
    ModelNotAllowed: _Shape(404, "model_not_found"),
    ModelNotFound: _Shape(404, "model_not_found"),
    ModelRateLimited: _Shape(429, "rate_limit_exceeded"),
    BudgetSpent: _Shape(429, "insufficient_quota"),
}
_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}


_NO_RETRY: Final = {"x-should-retry": "false"}
"""Tells OpenAI's clients that trying again is of no use, whatever the status."""


class NotAccepted(BadRequest):
    """The facade does not do what a parameter asks for; `param` is the one at fault."""

    slug = "unsupported_parameter"

    def __init__(self, param: str, /, *, case: str, **told: Any) -> None:
        super().__init__(case=case, **told)
        self.param = param


class TooManyAtOnce(TooManyRequests):
    """The caller has as many answers under way as one caller may have."""

    slug = "too_many_answers"

    def __init__(self, allowed: int) -> None:
        super().__init__(allowed=allowed, retry_after=1)


class ClientGone(BadRequest):
    """Nobody waits for the answer any more; the sentence is for the log."""

    status = 499
    slug = "client_gone"


def error_object(error: MsilError, *, language: Language) -> dict[str, Any]:
    """The body, and what stands in a stream that broke."""
    shape = _shape(error)
    return {
        "error": {
            "message": error.message.told(language),
            "type": _type(shape.status),
            "param": getattr(error, "param", None),
            "code": shape.code,
        }
    }


def error_response(error: MsilError, *, language: Language) -> Response:
    """The HTTP answer, with Retry-After and WWW-Authenticate where they belong."""
    return Response(
        msgspec.json.encode(error_object(error, language=language)),
        status_code=_shape(error).status,
        media_type="application/json",
        headers={
            **error.headers,
            **(_NO_RETRY if isinstance(error, BudgetSpent) else {}),
            **in_language(language),
        },
    )


class OpenAIRoute(APIRoute):
    """A route whose every error has OpenAI's shape."""

    @override
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                with translated_errors():
                    return await handle(request)
            except MsilError as error:
                return error_response(error, language=language_of(request.scope))
            except RequestValidationError as error:
                return error_response(_unreadable(error), language=language_of(request.scope))
            except HTTPException as error:
                return _plain(error.status_code, str(error.detail))
            except SQLAlchemyError:
                log.exception("facade_database_failed")
                said = Message("errors.internal_error.detail").told(language_of(request.scope))
                return _plain(500, said)

        return handled


def _shape(error: MsilError) -> _Shape:
    return SHAPES.get(type(error)) or _Shape(error.status, error.slug)


def _type(status: int) -> str:
    return _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


def _plain(status: int, message: str) -> Response:
    body = {"error": {"message": message, "type": _type(status), "param": None, "code": None}}
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def _unreadable(error: RequestValidationError) -> NotAccepted:
    first = error.errors()[0]
    where = [str(part) for part in first["loc"] if part != "body"]
    param = ".".join(where)
    field = param or Message("fields.body")
    return NotAccepted(param, case="field", field=field, problem=explain_field(first))
