"""The parts of identity that the routes and the composition root share."""

from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from msil_mcp.egress import Egress, EgressError, FetchFailed
from msil_mcp.identity.authentication import RequestAuthenticator, token_verifier
from msil_mcp.identity.key_sets import Fetch
from msil_mcp.identity.key_usage import KeyUsage
from msil_mcp.identity.keys import PURPOSE
from msil_mcp.identity.passwords import Passwords
from msil_mcp.identity.sessions import SessionCookies
from msil_mcp.sealing import Keyring, Mac
from msil_mcp.settings import Settings

PROVIDER_SECONDS: Final = 5.0
PROVIDER_BYTES: Final = 256 << 10


@dataclass(frozen=True, slots=True)
class Identity:
    """`app.state.identity`; its authenticator is `app.state.authenticator` too."""

    authenticator: RequestAuthenticator
    sessions: SessionCookies
    passwords: Passwords
    usage: KeyUsage
    key_mac: Mac


def build_identity(
    settings: Settings, keyring: Keyring, *, fetch: Fetch, passwords: Passwords | None = None
) -> Identity:
    """Everything of identity that lives as long as the process; `fetch` gets the JWKS."""
    sessions, usage = SessionCookies(settings, keyring), KeyUsage()
    authenticator = RequestAuthenticator(
        settings=settings,
        keyring=keyring,
        sessions=sessions,
        usage=usage,
        tokens=token_verifier(settings, fetch=fetch),
    )
    return Identity(
        authenticator=authenticator,
        sessions=sessions,
        passwords=passwords or Passwords(),
        usage=usage,
        key_mac=keyring.mac(PURPOSE),
    )


def provider_documents(egress: Egress) -> Fetch:
    """Get an identity provider's documents, by way of the proxy or from a private network.

    The provider was named in the settings, so an address that is refused to others is allowed.
    """

    async def get(url: str, *, allow_private: bool) -> bytes:
        answer = await egress.fetch(
            url,
            purpose="identity_provider",
            timeout_seconds=PROVIDER_SECONDS,
            max_bytes=PROVIDER_BYTES,
            allow_private=allow_private,
        )
        return answer.body

    async def fetch(url: str) -> bytes:
        try:
            return await get(url, allow_private=False)
        except FetchFailed:
            raise
        except EgressError:
            return await get(url, allow_private=True)

    return fetch


def identity_of(request: Request) -> Identity:
    """The application's identity."""
    identity: Identity = request.app.state.identity
    return identity
