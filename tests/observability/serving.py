"""A small application watched like the product, on a real socket; and a port nobody has."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from msil_mcp.errors import NotFound
from msil_mcp.observability.health import router as health_router
from msil_mcp.observability.monitoring import Metrics, MonitoringMiddleware, label_endpoint
from msil_mcp.observability.readiness import Readiness
from msil_mcp.observability.system import SystemMonitor
from msil_mcp.observability.tracing import NO_TRACER, Tracer
from msil_mcp.problems import install_problem_handlers
from msil_mcp.settings import Settings


class Lost(NotFound):
    slug = "lost"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Watched:
    """The application, what it records into, and what its requests saw."""

    app: FastAPI
    metrics: Metrics
    readiness: Readiness
    url: str = ""
    seen: list[str] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)


def watched_app(
    settings: Settings, *, tracer: Tracer = NO_TRACER, outermost: bool = False
) -> tuple[Watched, ASGIApp]:
    app = FastAPI()
    metrics = Metrics(system=SystemMonitor(disk=Path.cwd()))
    watched = Watched(app=app, metrics=metrics, readiness=Readiness())
    app.state.settings = settings
    app.state.metrics = metrics
    app.state.readiness = watched.readiness
    install_problem_handlers(app)
    app.include_router(health_router)
    app.include_router(_sessions(watched), prefix="/api/chat")
    inner = FastAPI()

    @inner.get("/deep/{depth}")
    async def deep(depth: int) -> int:
        return depth

    app.mount("/inner", inner)
    app.mount("/plain", label_endpoint(_plain, "/plain"))

    @app.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.send_text(socket.scope["state"]["correlation_id"])
        await socket.close()

    watching = {"metrics": metrics, "tracer": tracer}
    if outermost:
        return watched, MonitoringMiddleware(app, **watching)
    app.add_middleware(MonitoringMiddleware, **watching)
    return watched, app


def _sessions(watched: Watched) -> APIRouter:
    router = APIRouter()

    @router.get("/sessions/{session_id}")
    async def read_session(session_id: int) -> int:
        return session_id

    @router.get("/lost")
    async def lost() -> None:
        raise Lost("There is no such conversation.")

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("password=hunter2 leaked from somewhere deep")

    @router.get("/stream")
    async def stream() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"first\n"
            await watched.gate.wait()
            yield b"last\n"

        return StreamingResponse(lines())

    @router.get("/events")
    async def events() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"data: first\n\n"
            await watched.gate.wait()

        return StreamingResponse(lines(), media_type="text/event-stream")

    @router.get("/cut")
    async def cut() -> StreamingResponse:
        async def lines() -> AsyncIterator[bytes]:
            yield b"first\n"
            raise RuntimeError("the upstream broke off")

        return StreamingResponse(lines())

    return router


async def _plain(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": ()})
    await send({"type": "http.response.body", "body": b"plain"})


@asynccontextmanager
async def serving(app: ASGIApp, *, port: int = 0) -> AsyncIterator[str]:
    """The base URL of an application served by uvicorn on this loop."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_config=None, lifespan="off", access_log=False
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    started = asyncio.create_task(server.is_up.wait())
    await asyncio.wait({task, started}, return_when=asyncio.FIRST_COMPLETED)
    try:
        bound = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{bound}"
    finally:
        server.should_exit = True
        await task


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()
