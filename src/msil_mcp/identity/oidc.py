"""Signing in with the identity provider: leaving for it, coming back from it, signing out of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from starlette.requests import Request

from msil_mcp.errors import BadRequest, Forbidden, MsilError, NotFound
from msil_mcp.identity.attempts import Attempt, Attempts, SignInExpired
from msil_mcp.identity.claims import RoleClaims
from msil_mcp.identity.discovery import Discovery, Fetch
from msil_mcp.identity.key_sets import ProviderKeys
from msil_mcp.identity.people import LONGEST_SUBJECT, Person
from msil_mcp.identity.provider_requests import ProviderSend
from msil_mcp.locales import Message
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings

if TYPE_CHECKING:
    from msil_mcp.identity.code_flow import CodeFlow

START: Final = "/api/auth/oidc/start"
APPS: Final = ("/chat", "/admin")
LONGEST_PATH: Final = 512


class OidcNotConfigured(NotFound):
    """People do not sign in with an identity provider here."""

    slug = "oidc_not_configured"


class BadDestination(BadRequest):
    """After signing in one may go to our own pages alone."""

    slug = "bad_destination"


class SignInDeclined(Forbidden):
    """The person, or the provider, did not want to."""

    slug = "sign_in_declined"

    def __init__(self, reason: str | Message) -> None:
        super().__init__(reason=reason[:80] if isinstance(reason, str) else reason)


def checked_destination(path: str) -> str:
    """The path, when it leads to one of the web apps and nowhere else; else BadDestination."""
    app = next((app for app in APPS if path == app or path.startswith((f"{app}/", f"{app}?"))), "")
    if not app or len(path) > LONGEST_PATH or not path.isprintable() or "\\" in path:
        raise BadDestination
    if not path.isascii() or " " in path or "/../" in f"{path}/" or "//" in path.partition("?")[0]:
        raise BadDestination
    return path


class OidcSignIn:
    """One provider, as configured."""

    def __init__(
        self,
        settings: Settings,
        keyring: Keyring,
        *,
        keys: ProviderKeys,
        fetch: Fetch,
        send: ProviderSend,
    ) -> None:
        self.label = settings.oidc_label
        self.attempts = Attempts(settings, keyring)
        self.issuer = settings.oidc_issuer
        self.default_role = settings.oidc_default_role
        self._settings = settings
        self._keys = keys
        self._discovery = Discovery(issuer=settings.oidc_issuer, fetch=fetch)
        self._send = send
        self._roles = RoleClaims.from_settings(settings)
        self._flow: CodeFlow | None = None

    def _code_flow(self) -> "CodeFlow":
        if self._flow is None:
            from msil_mcp.identity.code_flow import CodeFlow

            self._flow = CodeFlow(self._settings, keys=self._keys, send=self._send)
        return self._flow

    async def leave(self, *, following: str) -> tuple[str, Attempt]:
        """Where the browser is to go, and what it is to remember meanwhile."""
        metadata = await self._discovery.metadata()
        attempt = self.attempts.begin(following=following)
        return self._code_flow().authorization_url(attempt, metadata), attempt

    async def come_back(self, answer: Mapping[str, str], *, attempt: Attempt) -> Person:
        """Who came back with the provider's answer; a refusal, or ProviderUnavailable."""
        metadata = await self._discovery.metadata()
        claimed = answer.get("iss")
        required = metadata.authorization_response_iss_parameter_supported
        if (claimed is not None or required) and claimed != self.issuer:
            # RFC 9207: an answer of another provider must not be taken for this one's.
            raise SignInExpired
        if "error" in answer:
            raise SignInDeclined(answer["error"])
        claims = await self._code_flow().prove(
            answer.get("code", ""), attempt=attempt, metadata=metadata
        )
        if not 0 < len(str(claims["sub"])) <= LONGEST_SUBJECT:
            raise SignInDeclined(Message("reasons.provider.name"))
        return Person.from_claims(claims, roles=self._roles)

    async def sign_out_url(self) -> str | None:
        """Where the browser signs out of the provider too, if that can be done there."""
        try:
            metadata = await self._discovery.metadata()
        except MsilError:
            return None
        if not metadata.end_session_endpoint:
            return None
        separator = "&" if "?" in metadata.end_session_endpoint else "?"
        query = urlencode(
            {
                "client_id": self._settings.oidc_client_id,
                "post_logout_redirect_uri": f"{self._settings.base_url}/chat",
            }
        )
        return f"{metadata.end_session_endpoint}{separator}{query}"


def oidc_of(request: Request) -> OidcSignIn:
    """The application's, or OidcNotConfigured."""
    found: OidcSignIn | None = request.app.state.identity.oidc
    if found is None:
        raise OidcNotConfigured
    return found
