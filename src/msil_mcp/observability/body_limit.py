"""Stops request bodies larger than configured before anybody holds or parses them.

FastAPI reads and parses a body before it knows who sends it, so this stands in front of it.
"""

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from msil_mcp.errors import ContentTooLarge, problem_response


class BodyLimit:
    """ASGI middleware: 413 by the declared length, or as soon as more has come."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is within the limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        too_large = ContentTooLarge(self._max_bytes)
        if _declared(scope) > self._max_bytes:
            correlation = scope.get("state", {}).get("correlation_id")
            await problem_response(too_large, correlation_id=correlation)(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_bytes:
                # FastAPI lets only this kind of error pass while it reads a body.
                raise HTTPException(too_large.status, str(too_large))
            return message

        await self._app(scope, counted, send)


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0
