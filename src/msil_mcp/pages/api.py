"""The addresses of the pages: /chat, /admin, /docs, and / which leads to the first."""

import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from msil_mcp.pages.apps import STATIC, TITLES, WebApp
from msil_mcp.pages.headers import page_headers
from msil_mcp.pages.reference import reference_page
from msil_mcp.principal import public

READING = ["GET", "HEAD"]


def pages_router(directory: Path = STATIC) -> APIRouter:
    """The routes; the directory holds one built app each in `chat` and `admin`."""
    router = APIRouter(include_in_schema=False, dependencies=[public])
    router.add_api_route("/", _go_to_chat, methods=READING)
    router.add_api_route("/docs", _show_reference, methods=READING)
    for name in TITLES:
        show = _shower(WebApp(name, directory))
        router.add_api_route(f"/{name}", show, methods=READING)
        router.add_api_route(f"/{name}/{{path:path}}", show, methods=READING)
    return router


def _shower(app: WebApp) -> Callable[..., Awaitable[Response]]:
    async def show(request: Request, path: str = "") -> Response:
        return await app.answer(path, request)

    return show


async def _go_to_chat() -> Response:
    return RedirectResponse("/chat", 307)


async def _show_reference(request: Request) -> Response:
    nonce = secrets.token_urlsafe(16)
    return HTMLResponse(
        reference_page(request.app, nonce=nonce),
        headers=page_headers(nonce=nonce),
    )
