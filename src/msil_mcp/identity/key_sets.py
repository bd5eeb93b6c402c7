"""The identity provider's public keys: found, fetched, kept.

They are fetched when first needed, when older than ten minutes, and when a token names a key that
is not among them, but never more than once a minute, so that made-up key ids cost the provider
nothing. When the provider is down the keys of before stay in use.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey
from joserfc.util import base64_to_int

from msil_mcp.errors import MsilError, Unavailable
from msil_mcp.identity.discovery import BadProviderDocument, Fetch, metadata_url, read_metadata

FRESH_SECONDS: Final = 600.0
FLOOR_SECONDS: Final = 60.0
FIRST_FLOOR_SECONDS: Final = 5.0
MAX_KEYS: Final = 64
MAX_UNNAMED: Final = 4
MIN_RSA_BITS: Final = 2048
KINDS: Final[dict[str, type[RSAKey] | type[ECKey] | type[OKPKey]]] = {
    "RSA": RSAKey,
    "EC": ECKey,
    "OKP": OKPKey,
}

log = structlog.get_logger()


class KeysUnavailable(Unavailable):
    """No keys were ever fetched, so no token can be judged."""

    slug = "identity_provider_unavailable"

    def __init__(self) -> None:
        super().__init__(retry_after=FIRST_FLOOR_SECONDS)


class _KeySet(msgspec.Struct):
    keys: list[dict[str, object]]


class ProviderKeys:
    """Keys of one issuer; `url` empty means OpenID Connect Discovery finds it."""

    def __init__(
        self, *, issuer: str, url: str, fetch: Fetch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._issuer = issuer
        self._configured = url
        self._found = ""
        self._fetch = fetch
        self._clock = clock
        self._running: asyncio.Task[None] | None = None
        self._keys: tuple[Key, ...] | None = None
        self._document = b""
        self._fetched_at = 0.0
        self._tried_at: float | None = None
        self.version = 0

    async def candidates(self, *, kid: str | None) -> Sequence[Key]:
        """Keys that may have signed under this id: none when it is unknown.

        A token without an id may be by any key while there are few to try.
        Raises KeysUnavailable when the provider never answered.
        """
        stale = self._clock() - self._fetched_at > FRESH_SECONDS
        # While somebody is fetching, keys that are merely old still do; nobody queues for them.
        if self._keys is None or (stale and self._running is None):
            await self._refresh()
        found = self._named(kid)
        if not found and kid is not None:
            await self._refresh()
            found = self._named(kid)
        return found

    def _named(self, kid: str | None) -> Sequence[Key]:
        if self._keys is None:
            raise KeysUnavailable
        if kid is None:
            return self._keys if len(self._keys) <= MAX_UNNAMED else ()
        return [key for key in self._keys if key.kid == kid]

    async def _refresh(self) -> None:
        """One fetch at a time for all who wait; a caller that goes away does not end it."""
        if self._running is None:
            floor = FIRST_FLOOR_SECONDS if self._keys is None else FLOOR_SECONDS
            now = self._clock()
            if self._tried_at is not None and now - self._tried_at < floor:
                return
            self._tried_at = now
            self._running = asyncio.create_task(self._fetch_keys(now))
        await asyncio.shield(self._running)

    async def _fetch_keys(self, now: float) -> None:
        try:
            document = await self._fetch(await self._url())
            keys = _read_keys(document, url=self._configured or self._found)
        except MsilError as error:
            self._found = ""
            log.warning("key_set_not_fetched", issuer=self._issuer, error=str(error))
        else:
            self.version += document != self._document
            self._keys, self._document, self._fetched_at = keys, document, now
            log.info("key_set_fetched", issuer=self._issuer, keys=len(keys))
        finally:
            self._running = None

    async def _url(self) -> str:
        if self._configured or self._found:
            return self._configured or self._found
        document = await self._fetch(metadata_url(self._issuer))
        self._found = read_metadata(document, issuer=self._issuer).jwks_uri
        return self._found


def _read_keys(document: bytes, *, url: str) -> tuple[Key, ...]:
    try:
        described = msgspec.json.decode(document, type=_KeySet).keys[:MAX_KEYS]
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadProviderDocument(url, f"is not a key set: {error}") from error
    keys = [key for item in described if (key := _read_key(item)) is not None]
    if not keys:
        raise BadProviderDocument(url, "has no usable key")
    return tuple(keys)


def _read_key(item: dict[str, object]) -> Key | None:
    """The public key, or None: of a kind not used here, symmetric, weak, or malformed."""
    kind = KINDS.get(str(item.get("kty")))
    public: dict[str, str | list[str]] = {
        name: value
        for name, value in item.items()
        if isinstance(value, str)
        and name in {"kty", "kid", "use", "alg", "n", "e", "crv", "x", "y"}
    }
    if kind is None or public.get("use", "sig") != "sig":
        return None
    try:
        if kind is RSAKey and base64_to_int(str(public.get("n"))).bit_length() < MIN_RSA_BITS:
            log.warning("key_ignored", kid=public.get("kid"), error="an RSA key under 2048 bits")
            return None
        return kind.import_key(public)
    except (JoseError, ValueError, TypeError) as error:
        log.warning("key_ignored", kid=public.get("kid"), error=str(error))
        return None
