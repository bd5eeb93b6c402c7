"""The edge of every HTTP exchange: correlation id and body size, as plain ASGI."""

import re
from typing import Final
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CORRELATION_HEADER: Final = "X-Correlation-ID"
BODY_LIMIT: Final = 64 * 1024
_ACCEPTED_ID = re.compile("[A-Za-z0-9._:-]{1,128}")


class Edge:
    """Gives each request a correlation id, echoes it, and stops reading oversized bodies.

    A caller's own id is kept when it is short and printable, and replaced otherwise, so that it
    can be logged and echoed as it is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP exchange; other scopes pass untouched."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        offered = Headers(scope=scope).get(CORRELATION_HEADER, "")
        correlation_id = offered if _ACCEPTED_ID.fullmatch(offered) else uuid4().hex
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        received = 0

        async def receive_bounded() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > BODY_LIMIT:
                raise HTTPException(
                    413, f"The body is larger than {BODY_LIMIT} bytes. Send a smaller one."
                )
            return message

        async def send_correlated(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[CORRELATION_HEADER] = correlation_id
            await send(message)

        await self._app(scope, receive_bounded, send_correlated)
