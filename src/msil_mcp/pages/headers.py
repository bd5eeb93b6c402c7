"""What the answers tell a browser never to do, and the middleware that says it everywhere."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from msil_mcp.settings import Settings

NOTHING: Final = "default-src 'none'; frame-ancestors 'none'"
"""The policy of what is no page: whoever opens it in a browser runs nothing of it."""

_UNUSED: Final = (
    "accelerometer",
    "browsing-topics",
    "camera",
    "display-capture",
    "geolocation",
    "gyroscope",
    "hid",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "serial",
    "usb",
    "xr-spatial-tracking",
)
ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    # Not `no-referrer`: with it a browser says `Origin: null` of a form, and that is nobody.
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
HSTS: Final = "max-age=31536000"


def page_headers(*, nonce: str) -> dict[str, str]:
    """What a page says beside: it runs our own files, and style elements with the nonce."""
    policy = "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            f"style-src 'self' 'nonce-{nonce}'",
            "connect-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )
    return {
        "content-security-policy": policy,
        "permissions-policy": ", ".join(f"{feature}=()" for feature in _UNUSED),
        "cross-origin-opener-policy": "same-origin",
    }


class GuardedAnswers:
    """ASGI middleware: every answer gets the headers it does not set itself.

    An answer of the API depends on who asks, so nobody on the way may store it, unless it says so.
    """

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._defaults = {
            **ALWAYS,
            "content-security-policy": NOTHING,
            "cache-control": "no-store",
        }
        if settings.base_url.startswith("https:"):
            self._defaults["strict-transport-security"] = HSTS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._defaults.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, answer)
