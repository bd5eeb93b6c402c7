"""A web app as it is served: its page for every place in it, its files below, or how to get it."""

import secrets
from html import escape
from pathlib import Path
from typing import Final, Literal

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from msil_mcp.errors import NotFound
from msil_mcp.pages.files import ASK_AGAIN, HASHED, AppFiles
from msil_mcp.pages.headers import page_headers
from msil_mcp.pages.plain import plain_page

AppName = Literal["chat", "admin"]
TITLES: Final[dict[AppName, str]] = {"chat": "Chat", "admin": "Admin"}
STATIC: Final = Path(__file__).parent / "static"
"""Where `npm run build` in web/ puts the apps; empty in a checkout that was never built."""
NONCE: Final = "__CSP_NONCE__"
"""What stands in index.html for the nonce of each answer."""


class NoSuchFile(NotFound):
    """The build that is served has no such file; a page of an older one may ask for it."""

    slug = "no_such_file"


class WebApp:
    """One of the two apps; what was built since the server started is served as well."""

    def __init__(self, name: AppName, directory: Path = STATIC) -> None:
        self.name = name
        self._index = directory / name / "index.html"
        self._files = AppFiles(directory / name)

    @property
    def is_built(self) -> bool:
        """Whether there is a page to show."""
        return self._index.is_file()

    async def answer(self, path: str, request: Request) -> Response:
        """The file at the path below the app; any other path is a place in it, so its page."""
        if path not in {"", "index.html"}:
            found = await self._files.answer(path, request.scope)
            if found is not None:
                return found
            if path.startswith(HASHED):
                raise NoSuchFile
        return await self._page()

    async def _page(self) -> Response:
        text = await to_thread.run_sync(self._read_index)
        nonce = secrets.token_urlsafe(16)
        if text is None:
            return HTMLResponse(
                _how_to_build(TITLES[self.name], nonce=nonce),
                status_code=503,
                headers=page_headers(nonce=nonce),
            )
        return HTMLResponse(
            text.replace(NONCE, nonce),
            # No ETag: a stored page would come back with the nonce of another answer.
            headers={**page_headers(nonce=nonce), "Cache-Control": ASK_AGAIN},
        )

    def _read_index(self) -> str | None:
        try:
            return self._index.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None


def _how_to_build(title: str, *, nonce: str) -> str:
    return plain_page(
        f"{title} is not built yet",
        f"""
<p>The server runs; the pages of {escape(title)} are not there, because they were not built.</p>
<p>In the checkout, with Node 20 or newer:</p>
<pre>make web</pre>
<p>Then reload this page; the server need not be started again. The released package has
the pages in it.</p>
<p>Meanwhile: <a href="/docs">the REST API</a>, and the MCP endpoint at <code>/mcp</code>.</p>
""",
        nonce=nonce,
    )
