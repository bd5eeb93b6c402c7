"""Stops request bodies larger than configured before anybody holds or parses them.

FastAPI reads and parses a body before it knows who sends it, so this stands in front of it.
"""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from msil_mcp.errors import ContentTooLarge
from msil_mcp.problems import problem_response


class BodyLimit:
    """ASGI middleware: 413 by the declared length, or as soon as more has come."""

    def __init__(
        self, app: ASGIApp, *, max_bytes: int, larger: Mapping[str, int] | None = None
    ) -> None:
        """Of the paths in `larger`, as much as it says."""
        self._app = app
        self._max_bytes = max_bytes
        self._larger = larger or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is within the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = max(self._max_bytes, self._larger.get(scope["path"], 0))
        too_large = ContentTooLarge(limit)
        if _declared(scope) > limit:
            await problem_response(too_large, scope)(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                # FastAPI lets only this kind of error pass while it reads a body.
                raise HTTPException(too_large.status)
            return message

        await self._app(scope, counted, send)


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
