"""The parts of identity that the routes and the composition root share."""

from dataclasses import dataclass

from starlette.requests import Request

from msil_mcp.identity.authentication import RequestAuthenticator, token_verifier
from msil_mcp.identity.key_sets import Fetch
from msil_mcp.identity.key_usage import KeyUsage
from msil_mcp.identity.keys import PURPOSE
from msil_mcp.identity.passwords import Passwords
from msil_mcp.identity.sessions import SessionCookies
from msil_mcp.sealing import Keyring, Mac
from msil_mcp.settings import Settings


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


def identity_of(request: Request) -> Identity:
    """The application's identity."""
    identity: Identity = request.app.state.identity
    return identity
