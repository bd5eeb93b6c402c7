"""What an OpenID Connect provider says of itself: its addresses, and what it can do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from msil_mcp.errors import MsilError, Unavailable

FRESH_SECONDS: Final = 600.0
FLOOR_SECONDS: Final = 5.0

Fetch = Callable[[str], Awaitable[bytes]]
"""GET a document; raises a MsilError when there is none to be had."""

log = structlog.get_logger()


class BadProviderDocument(MsilError):
    """The provider's metadata or key set is not what the specifications say."""

    slug = "bad_provider_document"

    def __init__(self, url: str, why: str) -> None:
        super().__init__(url=url, why=why)


class ProviderUnavailable(Unavailable):
    """The identity provider cannot be reached, or says nothing of use, so nobody can sign in."""

    slug = "sign_in_unavailable"

    def __init__(self) -> None:
        super().__init__(retry_after=FLOOR_SECONDS)


class ProviderMetadata(msgspec.Struct):
    """The members used here (OpenID Connect Discovery 1.0; RFC 8414; RFC 9207)."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool | None = None


def metadata_url(issuer: str) -> str:
    """Where an issuer's metadata is."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def read_metadata(document: bytes, *, issuer: str) -> ProviderMetadata:
    """The metadata, or BadProviderDocument: of another issuer, or less guarded than its issuer."""
    url = metadata_url(issuer)
    try:
        metadata = msgspec.json.decode(document, type=ProviderMetadata)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadProviderDocument(url, f"is not provider metadata: {error}") from error
    if metadata.issuer != issuer:
        raise BadProviderDocument(url, f"names another issuer, {metadata.issuer}")
    if issuer.startswith("https:"):
        for name in ("jwks_uri", "authorization_endpoint", "token_endpoint", "userinfo_endpoint"):
            address = getattr(metadata, name)
            if address is not None and not address.startswith("https:"):
                raise BadProviderDocument(url, f"has a {name} that is not an https address")
    return metadata


class Discovery:
    """The metadata of one issuer, kept for ten minutes; asked for every five seconds at most."""

    def __init__(
        self, *, issuer: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._clock = clock
        self._turn = asyncio.Lock()
        self._metadata: ProviderMetadata | None = None
        self._fetched_at = 0.0
        self._failed_at: float | None = None

    async def metadata(self) -> ProviderMetadata:
        """As the provider has it now; what it said before while it does not answer."""
        async with self._turn:
            now = self._clock()
            if self._metadata is None or now - self._fetched_at > FRESH_SECONDS:
                await self._refresh(now)
            if self._metadata is None:
                raise ProviderUnavailable
            return self._metadata

    async def _refresh(self, now: float) -> None:
        if self._failed_at is not None and now - self._failed_at < FLOOR_SECONDS:
            return
        try:
            document = await self._fetch(metadata_url(self._issuer))
            self._metadata = read_metadata(document, issuer=self._issuer)
        except MsilError as error:
            self._failed_at = now
            log.warning("provider_metadata_not_fetched", issuer=self._issuer, error=str(error))
        else:
            self._fetched_at, self._failed_at = now, None
