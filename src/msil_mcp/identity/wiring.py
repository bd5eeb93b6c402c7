"""The parts of identity that the routes and the composition root share."""

from dataclasses import dataclass

from starlette.requests import Request

from msil_mcp.egress import Egress
from msil_mcp.identity.authentication import RequestAuthenticator
from msil_mcp.identity.key_sets import ProviderKeys
from msil_mcp.identity.key_usage import KeyUsage
from msil_mcp.identity.keys import PURPOSE
from msil_mcp.identity.oidc import OidcSignIn
from msil_mcp.identity.one_click import OneClick
from msil_mcp.identity.passwords import Passwords
from msil_mcp.identity.provider_requests import provider_documents, provider_requests
from msil_mcp.identity.sessions import SessionCookies
from msil_mcp.identity.tokens import TokenVerifier
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
    one_click: OneClick
    oidc: OidcSignIn | None


def build_identity(
    settings: Settings, keyring: Keyring, *, egress: Egress, passwords: Passwords | None = None
) -> Identity:
    """Everything of identity that lives as long as the process."""
    sessions, usage = SessionCookies(settings, keyring), KeyUsage()
    tokens, oidc = None, None
    if settings.oidc_issuer:
        fetch = provider_documents(egress)
        keys = ProviderKeys(issuer=settings.oidc_issuer, url=settings.oidc_jwks_url, fetch=fetch)
        tokens = TokenVerifier.from_settings(settings, keys=keys)
        if settings.oidc_client_id:
            oidc = OidcSignIn(
                settings, keyring, keys=keys, fetch=fetch, send=provider_requests(egress)
            )
    authenticator = RequestAuthenticator(
        settings=settings, keyring=keyring, sessions=sessions, usage=usage, tokens=tokens
    )
    return Identity(
        authenticator=authenticator,
        sessions=sessions,
        passwords=passwords or Passwords(),
        usage=usage,
        key_mac=keyring.mac(PURPOSE),
        one_click=OneClick(settings),
        oidc=oidc,
    )


def identity_of(request: Request) -> Identity:
    """The application's identity."""
    identity: Identity = request.app.state.identity
    return identity
