"""The files of a built app: found safely, compressed where the build did so, cached by name."""

import errno
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Final, NamedTuple

from anyio import to_thread
from starlette.datastructures import Headers
from starlette.responses import FileResponse, Response
from starlette.staticfiles import NotModifiedResponse, StaticFiles
from starlette.types import Scope

HASHED: Final = "assets/"
"""Below it the build names every file by its content."""
FOR_EVER: Final = "public, max-age=31536000, immutable"
ASK_AGAIN: Final = "no-cache"
ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))

# Written out: what a machine's own table says of them differs, and browsers insist.
MEDIA_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}


class _Found(NamedTuple):
    path: str
    status: os.stat_result
    encoding: str | None


class AppFiles:
    """One app's directory, which may be empty or missing until somebody builds it."""

    def __init__(self, directory: Path) -> None:
        self._files = StaticFiles(directory=directory, check_dir=False)

    async def answer(self, path: str, scope: Scope) -> Response | None:
        """The file at this path below the app, or 304; None when there is none."""
        headers = Headers(scope=scope)
        found = await to_thread.run_sync(self._find, path, headers.get("accept-encoding", ""))
        if found is None:
            return None
        response = FileResponse(
            found.path,
            stat_result=found.status,
            media_type=MEDIA_TYPES.get(PurePosixPath(path).suffix, "application/octet-stream"),
            headers={
                "Cache-Control": FOR_EVER if path.startswith(HASHED) else ASK_AGAIN,
                "Vary": "Accept-Encoding",
                **({"Content-Encoding": found.encoding} if found.encoding else {}),
            },
        )
        if self._files.is_not_modified(response.headers, headers):
            return NotModifiedResponse(response.headers)
        return response

    def _find(self, path: str, accepted: str) -> _Found | None:
        plain = self._look_up(path)
        if plain is None:
            return None
        for encoding, suffix in ENCODINGS:
            if accepts(accepted, encoding) and (made := self._look_up(path + suffix)) is not None:
                return _Found(*made, encoding)
        return _Found(*plain, None)

    def _look_up(self, path: str) -> tuple[str, os.stat_result] | None:
        """A regular file below the directory, wherever the path tries to lead."""
        try:
            full, status = self._files.lookup_path(path)
        except ValueError:
            return None
        except OSError as error:
            if error.errno in {errno.ENAMETOOLONG, errno.EACCES, errno.ELOOP}:
                return None
            raise
        if status is None or not stat.S_ISREG(status.st_mode):
            return None
        return full, status


def accepts(header: str, encoding: str) -> bool:
    """Whether an Accept-Encoding names this encoding, and not to refuse it."""
    for choice in header.lower().split(","):
        name, _, parameters = choice.partition(";")
        if name.strip() == encoding:
            quality = parameters.replace(" ", "").partition("q=")[2]
            return not quality or quality.strip("0.") != ""
    return False
