"""Access tokens: JWTs of one issuer, for one audience, signed by a key the issuer publishes.

What is refused, beside a bad signature: any algorithm not pinned in the settings, every `crit`
and `b64` header, tokens over 8 KB, and tokens that are not access tokens. An `at+jwt` header
(RFC 9068) settles the kind. A plain or missing type is accepted, as many providers send it, unless
the token bears the marks of another kind: `nonce`, `at_hash`, `c_hash` or `s_hash`; an `events`
claim; `typ` or `token_use` naming something else; or this service as both audience and authorised
party with no scope, which is how an ID token for a client of our name looks. Keys a token brings
along (`jwk`, `jku`, `x5u`, `x5c`) are neither used nor fetched.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key
from joserfc.jws import JWSRegistry
from joserfc.util import urlsafe_b64decode

from msil_mcp.errors import MsilError, Unauthenticated
from msil_mcp.identity.key_sets import ProviderKeys
from msil_mcp.settings import Settings

MAX_TOKEN_BYTES: Final = 8192
LEEWAY_SECONDS: Final = 60.0
LAST_EXPIRY: Final = 250_000_000_000
CACHED_TOKENS: Final = 4096
CACHE_SECONDS: Final = 600.0
ACCESS_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
PLAIN_TYPES: Final = frozenset({"", "jwt", "application/jwt"})
ID_TOKEN_MARKS: Final = ("nonce", "at_hash", "c_hash", "s_hash", "events")
ALGORITHMS: Final = frozenset(
    f"{family}{bits}" for family in ("RS", "PS", "ES") for bits in (256, 384, 512)
) | {"EdDSA", "Ed25519", "Ed448"}


class BadToken(Unauthenticated):
    """The access token does not hold; `why` is for the caller and names nothing secret."""

    slug = "invalid_token"
    title = "Invalid access token"

    def __init__(self, why: str, *, challenge: str = 'Bearer error="invalid_token"') -> None:
        super().__init__(
            f"The access token was refused: {why}. Sign in again at your identity provider.",
            challenge=challenge,
        )


class UnsafeAlgorithm(MsilError):
    """The settings pin an algorithm whose keys cannot be published."""

    slug = "unsafe_algorithm"
    title = "Unsafe algorithm"

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"MSIL_OIDC_ALGORITHMS cannot hold {', '.join(names) or 'nothing'}. "
            f"Choose from {', '.join(sorted(ALGORITHMS))}."
        )


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None
    typ: str = ""
    crit: object = None
    b64: object = None


class _Claims(msgspec.Struct):
    iss: str
    sub: str
    aud: str | list[str]
    exp: int | float
    nbf: int | float | None = None
    iat: int | float | None = None
    azp: str | None = None
    client_id: str | None = None
    scope: str | list[str] | None = None
    scp: str | list[str] | None = None
    typ: str | None = None
    token_use: str | None = None
    name: str | None = None
    preferred_username: str | None = None
    email: str | None = None
    phone_number: str | None = None


@dataclass(frozen=True, slots=True)
class VerifiedToken:
    """What a token proved; `expires_at` is in seconds of the epoch, without the leeway."""

    issuer: str
    subject: str
    name: str
    roles: tuple[str, ...]
    scopes: frozenset[str] | None
    expires_at: float
    attributes: tuple[tuple[str, str], ...]


class _PinnedAlgorithms(JWSRegistry):
    """The pinned algorithms alone, without the library's advice about older names."""

    max_header_length = 4096
    max_payload_length = MAX_TOKEN_BYTES

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()):
            raise JoseError(f"algorithm {name} is not allowed")
        return self.algorithms[name]


class TokenVerifier:
    """Checks access tokens, and remembers those that held for at most ten minutes."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        algorithms: Sequence[str],
        keys: ProviderKeys,
        roles_claim: str = "roles",
        clock: Callable[[], float] = time.time,
    ) -> None:
        unsafe = [name for name in algorithms if name not in ALGORITHMS]
        if unsafe or not algorithms:
            raise UnsafeAlgorithm(unsafe)
        self._issuer = issuer
        self._audience = audience
        self._registry = _PinnedAlgorithms(algorithms=list(algorithms), strict_check_header=False)
        self._algorithms = frozenset(algorithms)
        self._keys = keys
        self._roles_claim = roles_claim
        self._clock = clock
        self._held: OrderedDict[bytes, tuple[VerifiedToken, float]] = OrderedDict()
        self._held_with = keys.version

    @classmethod
    def from_settings(cls, settings: Settings, *, keys: ProviderKeys) -> "TokenVerifier":
        """The verifier of the configured issuer."""
        return cls(
            issuer=settings.oidc_issuer,
            audience=settings.oidc_audience or f"{settings.base_url}/mcp",
            algorithms=settings.oidc_algorithms,
            keys=keys,
            roles_claim=settings.oidc_roles_claim,
        )

    async def verify(self, token: str) -> VerifiedToken:
        """What the token proves, or BadToken; KeysUnavailable when that cannot be told."""
        raw = token.encode()
        if len(raw) > MAX_TOKEN_BYTES:
            raise BadToken(f"it is longer than {MAX_TOKEN_BYTES} bytes")
        digest = hashlib.sha256(raw).digest()
        if (held := self._remembered(digest)) is not None:
            return held
        header = _read_header(raw)
        if header.alg not in self._algorithms:
            raise BadToken("its signature algorithm is not accepted here")
        candidates = await self._keys.candidates(kid=header.kid)
        verified = self._judge(header, self._signed_payload(raw, candidates))
        self._remember(digest, verified)
        return verified

    def _remembered(self, digest: bytes) -> VerifiedToken | None:
        if self._held_with != self._keys.version:
            self._held.clear()
            self._held_with = self._keys.version
        entry = self._held.get(digest)
        if entry is None or entry[1] <= self._clock():
            return None
        self._held.move_to_end(digest)
        return entry[0]

    def _remember(self, digest: bytes, verified: VerifiedToken) -> None:
        until = min(verified.expires_at + LEEWAY_SECONDS, self._clock() + CACHE_SECONDS)
        self._held[digest] = (verified, until)
        if len(self._held) > CACHED_TOKENS:
            self._held.popitem(last=False)

    def _signed_payload(self, raw: bytes, candidates: Sequence[Key]) -> bytes:
        for key in candidates:
            try:
                signed = jws.deserialize_compact(raw, key, registry=self._registry)
            except (JoseError, ValueError, TypeError, RecursionError):
                continue
            if signed.payload is not None:
                return signed.payload
        raise BadToken("no published key of the identity provider made its signature")

    def _judge(self, header: _Header, payload: bytes) -> VerifiedToken:
        claims, everything = _read_claims(payload)
        now = self._clock()
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        scopes = _words(claims.scope) if claims.scope is not None else _words(claims.scp)
        if claims.iss != self._issuer:
            raise BadToken("another issuer made it")
        if self._audience not in audiences:
            raise BadToken(f"it is not meant for {self._audience}")
        if claims.exp + LEEWAY_SECONDS <= now:
            raise BadToken("it has expired")
        if max(claims.nbf or 0, claims.iat or 0) > now + LEEWAY_SECONDS:
            raise BadToken("it is not valid yet")
        if not claims.sub:
            raise BadToken("it names no subject")
        self._insist_on_access_token(header, claims, everything, scoped=scopes is not None)
        return VerifiedToken(
            issuer=claims.iss,
            subject=claims.sub,
            name=claims.preferred_username or claims.name or claims.sub,
            roles=_roles(everything, self._roles_claim),
            scopes=_tool_scopes(scopes),
            expires_at=float(min(claims.exp, LAST_EXPIRY)),
            attributes=_attributes(claims),
        )

    def _insist_on_access_token(
        self, header: _Header, claims: _Claims, everything: dict[str, Any], *, scoped: bool
    ) -> None:
        kind = header.typ.lower()
        if kind in ACCESS_TYPES:
            return
        if kind not in PLAIN_TYPES:
            raise BadToken(f"its type {header.typ[:40]!r} is not that of an access token")
        other = (
            any(mark in everything for mark in ID_TOKEN_MARKS)
            or (claims.typ or "bearer").lower() not in {"bearer", "jwt", "at+jwt"}
            or (claims.token_use or "access") != "access"
            or (claims.azp == self._audience and not scoped)
        )
        if other:
            raise BadToken("it is an ID token or another kind, not an access token")


def _read_header(raw: bytes) -> _Header:
    if raw.count(b".") != 2:
        raise BadToken("it is not a signed JWT in compact form")
    try:
        header = msgspec.json.decode(urlsafe_b64decode(raw.partition(b".")[0]), type=_Header)
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise BadToken("its header cannot be read") from error
    if header.crit is not None or header.b64 is not None:
        raise BadToken("its header demands an extension that is not understood here")
    return header


def _read_claims(payload: bytes) -> tuple[_Claims, dict[str, Any]]:
    try:
        everything = msgspec.json.decode(payload, type=dict[str, Any])
        return msgspec.convert(everything, _Claims), everything
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadToken("a claim is missing or of the wrong type") from error


def _words(claim: str | list[str] | None) -> list[str] | None:
    return claim.split() if isinstance(claim, str) else claim


def _tool_scopes(scopes: Sequence[str] | None) -> frozenset[str] | None:
    """The scopes that speak of tools; without any, the audience alone says what is meant.

    Providers add scopes of their own (`openid`, `profile`) that say nothing about tools.
    """
    ours = [
        scope
        for scope in scopes or ()
        if scope == "tools" or scope.startswith(("tool:", "bundle:"))
    ]
    return frozenset(ours) if ours else None


def _roles(everything: dict[str, Any], path: str) -> tuple[str, ...]:
    """Role names at the claim path; a claim whose own name has dots is found first."""
    found: Any = everything.get(path)
    if found is None:
        found = everything
        for step in path.split("."):
            found = found.get(step) if isinstance(found, dict) else None
    if isinstance(found, str):
        return tuple(found.split())
    if isinstance(found, list):
        return tuple(name for name in found if isinstance(name, str))
    return ()


def _attributes(claims: _Claims) -> tuple[tuple[str, str], ...]:
    given = {
        "client_id": claims.client_id or claims.azp,
        "email": claims.email,
        "phone_number": claims.phone_number,
    }
    return tuple((name, value) for name, value in given.items() if value)
