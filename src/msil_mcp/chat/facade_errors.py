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

from msil_mcp.db.database import translated_errors
from msil_mcp.errors import BadRequest, MsilError, TooManyRequests
from msil_mcp.llm.errors import (
    ContentRefused,
    ContextTooLong,
    ModelNotAllowed,
    ModelNotFound,
    ModelRateLimited,
)

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
}
_TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    429: "rate_limit_error",
}


class NotAccepted(BadRequest):
    """The facade does not do what a parameter asks for; `param` is the one at fault."""

    slug = "unsupported_parameter"
    title = "Unsupported parameter"

    def __init__(self, param: str, sentence: str) -> None:
        super().__init__(sentence)
        self.param = param


class TooManyAtOnce(TooManyRequests):
    """The caller has as many answers under way as one caller may have."""

    slug = "too_many_answers"
    title = "Too many answers at once"

    def __init__(self, allowed: int) -> None:
        super().__init__(
            f"{allowed} of your requests are being answered already, which is the most one caller "
            "may have at once. Wait for one of them to end.",
            retry_after=1,
        )


class ClientGone(BadRequest):
    """Nobody waits for the answer any more; the sentence is for the log."""

    status = 499
    slug = "client_gone"
    title = "Client gone"

    def __init__(self) -> None:
        super().__init__("The client closed the connection before there was an answer.")


def error_object(error: MsilError) -> dict[str, Any]:
    """The body, and what stands in a stream that broke."""
    shape = _shape(error)
    return {
        "error": {
            "message": str(error) or error.title,
            "type": _type(shape.status),
            "param": getattr(error, "param", None),
            "code": shape.code,
        }
    }


def error_response(error: MsilError) -> Response:
    """The HTTP answer, with Retry-After and WWW-Authenticate where they belong."""
    return Response(
        msgspec.json.encode(error_object(error)),
        status_code=_shape(error).status,
        media_type="application/json",
        headers=dict(error.headers),
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
                return error_response(error)
            except RequestValidationError as error:
                return error_response(_unreadable(error))
            except HTTPException as error:
                return _plain(error.status_code, str(error.detail))
            except SQLAlchemyError:
                log.exception("facade_database_failed")
                return _plain(500, "Something failed in this server; it is in its log.")

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
    return NotAccepted(
        param, f"{param or 'The body'}: {first['msg'].removeprefix('Value error, ')}."
    )
