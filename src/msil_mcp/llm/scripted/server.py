"""The scripted model over HTTP: GET /v1/models and POST /v1/chat/completions.

No key is asked for and nothing is stored: the same messages get the same answer, whichever
process is asked.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from typing_extensions import override

from msil_mcp.llm.scripted.checks import RefusedRequest, check_request
from msil_mcp.llm.scripted.faults import MODELS, Clock, Sending, Tempo, prepare
from msil_mcp.llm.scripted.wire import ChatRequest

INDIA: Final = ZoneInfo("Asia/Kolkata")
LARGEST_BODY: Final = 8 << 20


def india_now() -> datetime:
    """The clock that decides what tomorrow is."""
    return datetime.now(INDIA)


def create_app(
    *, clock: Clock = india_now, pace_seconds: float = 0.0, slow_seconds: float = 5.0
) -> Starlette:
    """The server. `pace_seconds` lie between chunks, and `slow_seconds` between demo-slow's."""
    tempo = Tempo(pace=pace_seconds, slow=slow_seconds)

    async def models(_: Request) -> Response:
        return _models(created=int(clock().timestamp()))

    async def complete(request: Request) -> "Response | Paced":
        try:
            asked = await _asked(request)
            check_request(asked)
            return Paced(prepare(asked, clock=clock, tempo=tempo))
        except RefusedRequest as refused:
            wait = refused.retry_after
            headers = None if wait is None else {"Retry-After": str(wait)}
            body = msgspec.json.encode(refused.body)
            return Response(
                body, status_code=refused.status, media_type="application/json", headers=headers
            )

    return Starlette(
        routes=[
            Route("/v1/models", models, methods=["GET"]),
            Route("/v1/chat/completions", complete, methods=["POST"]),
        ]
    )


def _models(*, created: int) -> Response:
    models = [
        {"id": name, "object": "model", "created": created, "owned_by": "msil"} for name in MODELS
    ]
    body = msgspec.json.encode({"object": "list", "data": models})
    return Response(body, media_type="application/json")


async def _asked(request: Request) -> ChatRequest:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise RefusedRequest(413, f"The body is larger than {LARGEST_BODY} bytes.")
    try:
        asked = msgspec.json.decode(body, type=ChatRequest)
    except msgspec.DecodeError as error:
        raise RefusedRequest(400, f"The body is not a request: {error}.") from error
    if asked.model not in MODELS:
        raise RefusedRequest(
            404,
            f"The model {asked.model!r} does not exist; there are {', '.join(MODELS)}.",
            code="model_not_found",
            param="model",
        )
    return asked


class Paced:
    """A response of pieces with pauses between them; may break off, as lost connections do."""

    def __init__(self, sending: Sending) -> None:
        self._sending = sending

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        sending = self._sending
        headers = {"Content-Type": sending.media_type, "Cache-Control": "no-store"}
        await asyncio.sleep(sending.first_pause)
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    (name.lower().encode(), value.encode())
                    for name, value in (headers | dict(sending.headers)).items()
                ],
            }
        )
        for index, piece in enumerate(sending.pieces):
            if index and sending.pause:
                await asyncio.sleep(sending.pause)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if not sending.breaks_off:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class QuietServer(uvicorn.Server):
    """Uvicorn inside another server: signals and logging are the other one's."""

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def scripted_server(
    app: Starlette | None = None, *, host: str = "127.0.0.1"
) -> AsyncIterator[str]:
    """The model on a free loopback port, on the running event loop; yields its base URL."""
    listener = socket.create_server((host, 0))
    server = QuietServer(
        uvicorn.Config(
            app or create_app(),
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listener]), name="scripted-model")
    try:
        yield f"http://{host}:{listener.getsockname()[1]}/v1"
    finally:
        server.should_exit = True
        await serving
        listener.close()


def serve(host: str, port: int, *, pace_seconds: float = 0.0) -> None:
    """Run the model in the foreground until it is interrupted."""
    app = create_app(pace_seconds=pace_seconds)
    uvicorn.run(app, host=host, port=port, log_level="info", lifespan="off", ws="none")
