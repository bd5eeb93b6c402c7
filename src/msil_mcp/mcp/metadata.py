"""OAuth protected resource metadata (RFC 9728), and the challenges that point to it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from typing_extensions import override

from msil_mcp.errors import Forbidden, Unauthenticated
from msil_mcp.mcp.http import Scope, Send, send_empty, send_json
from msil_mcp.settings import Settings

METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
ENDPOINT_PATH: Final = "/mcp"
SCOPES: Final = ("tools",)
_CACHE: Final = ((b"cache-control", b"public, max-age=300"), (b"access-control-allow-origin", b"*"))
_GET_ONLY: Final = ((b"allow", b"GET, HEAD"),)


class Challenge(Unauthenticated):
    """The authenticator's refusal with the way to a token added."""


class InsufficientScope(Forbidden):
    """The caller is known, and another token is needed; the sentence is the authenticator's."""

    slug = "insufficient_scope"

    def __init__(self, sentence: str, *, challenge: str) -> None:
        super().__init__(sentence)
        self.challenge = challenge

    @property
    @override
    def headers(self) -> Mapping[str, str]:
        return {"WWW-Authenticate": self.challenge}


class ResourceMetadata:
    """Says which resource this is and who issues tokens for it."""

    def __init__(self, settings: Settings) -> None:
        self._base_url = settings.base_url
        self._issuer = settings.oidc_issuer

    def challenge(self, error: Unauthenticated, *, bundle: str | None) -> Unauthenticated:
        """The same refusal, naming the metadata of the address that was asked for."""
        separator = ", " if "=" in error.challenge else " "
        return Challenge(str(error), challenge=error.challenge + separator + self._pointer(bundle))

    def forbidden(self, error: Forbidden, *, bundle: str | None) -> Forbidden:
        """A refusal of a known caller, with the same pointer."""
        challenge = f'Bearer error="insufficient_scope", {self._pointer(bundle)}'
        return InsufficientScope(str(error), challenge=challenge)

    def _pointer(self, bundle: str | None) -> str:
        suffix = ENDPOINT_PATH if bundle is None else f"{ENDPOINT_PATH}/{bundle}"
        return f'resource_metadata="{self._base_url}{METADATA_PATH}{suffix}"'

    async def serve(self, scope: Scope, send: Send) -> None:
        """Answer a request for the metadata of /mcp or of one bundle."""
        scope.setdefault("state", {})["endpoint"] = METADATA_PATH
        resource = scope["path"].partition(METADATA_PATH)[2]
        if scope["method"] not in {"GET", "HEAD"}:
            await send_empty(send, 405, headers=_GET_ONLY)
            return
        if resource and not _is_endpoint(resource):
            await send_empty(send, 404)
            return
        document: dict[str, Any] = {
            "resource": self._base_url + (resource or ENDPOINT_PATH),
            "resource_name": "MSIL MCP Server",
            "bearer_methods_supported": ["header"],
            "scopes_supported": list(SCOPES),
        }
        if self._issuer:
            document["authorization_servers"] = [self._issuer]
        await send_json(send, msgspec.json.encode(document), headers=_CACHE)


def _is_endpoint(resource: str) -> bool:
    path, _, bundle = resource.removeprefix("/").partition("/")
    return path == ENDPOINT_PATH[1:] and "/" not in bundle
