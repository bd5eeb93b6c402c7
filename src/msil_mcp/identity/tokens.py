"""Access tokens: JWTs of one issuer, for one audience, signed by a key the issuer publishes.

What is refused, beside a bad signature: tokens over 8 KB, and tokens that are not access tokens.
An `at+jwt` header (RFC 9068) settles the kind. A plain or missing type is accepted, as many
providers send it, unless the token bears the marks of another kind: `nonce`, `at_hash`, `c_hash`
or `s_hash`; an `events` claim; `typ` or `token_use` naming something else; or this service as both
audience and authorised party with no scope, which is how an ID token for a client of our name
looks.
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from msil_mcp.errors import Unauthenticated
from msil_mcp.identity.claims import RoleClaims
from msil_mcp.identity.key_sets import ProviderKeys
from msil_mcp.identity.signatures import Header, SignatureRefused, Signatures
from msil_mcp.locales import Message
from msil_mcp.settings import Settings

MAX_TOKEN_BYTES: Final = 8192
LEEWAY_SECONDS: Final = 60.0
LAST_EXPIRY: Final = 250_000_000_000
CACHED_TOKENS: Final = 4096
CACHE_SECONDS: Final = 600.0
ACCESS_TYPES: Final = frozenset({"at+jwt", "application/at+jwt"})
PLAIN_TYPES: Final = frozenset({"", "jwt", "application/jwt"})
ID_TOKEN_MARKS: Final = ("nonce", "at_hash", "c_hash", "s_hash", "events")


class BadToken(Unauthenticated):
    """The access token does not hold; `why` is for the caller and names nothing secret."""

    slug = "invalid_token"

    def __init__(self, why: Message, *, challenge: str = 'Bearer error="invalid_token"') -> None:
        super().__init__(why=why, challenge=challenge)


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
    locale: object = None


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


class TokenVerifier:
    """Checks access tokens, and remembers those that held for at most ten minutes."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        algorithms: Sequence[str],
        keys: ProviderKeys,
        roles: RoleClaims,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._signatures = Signatures(algorithms, max_bytes=MAX_TOKEN_BYTES)
        self._keys = keys
        self._roles = roles
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
            roles=RoleClaims.from_settings(settings),
        )

    async def verify(self, token: str) -> VerifiedToken:
        """What the token proves, or BadToken; KeysUnavailable when that cannot be told."""
        raw = token.encode()
        if len(raw) > MAX_TOKEN_BYTES:
            raise BadToken(Message("reasons.token.too_long", limit=MAX_TOKEN_BYTES))
        digest = hashlib.sha256(raw).digest()
        if (held := self._remembered(digest)) is not None:
            return held
        try:
            header = self._signatures.read_header(raw)
            candidates = await self._keys.candidates(kid=header.kid)
            payload = self._signatures.signed_payload(raw, candidates)
        except SignatureRefused as error:
            raise BadToken(error.why) from error
        verified = self._judge(header, payload)
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

    def _judge(self, header: Header, payload: bytes) -> VerifiedToken:
        claims, everything = _read_claims(payload)
        now = self._clock()
        audiences = [claims.aud] if isinstance(claims.aud, str) else claims.aud
        scopes = _words(claims.scope) if claims.scope is not None else _words(claims.scp)
        if claims.iss != self._issuer:
            raise BadToken(Message("reasons.token.issuer"))
        if self._audience not in audiences:
            raise BadToken(Message("reasons.token.audience", audience=self._audience))
        if claims.exp + LEEWAY_SECONDS <= now:
            raise BadToken(Message("reasons.token.expired"))
        if max(claims.nbf or 0, claims.iat or 0) > now + LEEWAY_SECONDS:
            raise BadToken(Message("reasons.token.early"))
        if not claims.sub:
            raise BadToken(Message("reasons.token.subject"))
        self._insist_on_access_token(header, claims, everything, scoped=scopes is not None)
        return VerifiedToken(
            issuer=claims.iss,
            subject=claims.sub,
            name=claims.preferred_username or claims.name or claims.sub,
            roles=self._roles.read(everything) or (),
            scopes=_tool_scopes(scopes),
            expires_at=float(min(claims.exp, LAST_EXPIRY)),
            attributes=_attributes(claims),
        )

    def _insist_on_access_token(
        self, header: Header, claims: _Claims, everything: dict[str, Any], *, scoped: bool
    ) -> None:
        kind = header.typ.lower()
        if kind in ACCESS_TYPES:
            return
        if kind not in PLAIN_TYPES:
            raise BadToken(Message("reasons.token.type", type=header.typ[:40]))
        other = (
            any(mark in everything for mark in ID_TOKEN_MARKS)
            or (claims.typ or "bearer").lower() not in {"bearer", "jwt", "at+jwt"}
            or (claims.token_use or "access") != "access"
            or (claims.azp == self._audience and not scoped)
        )
        if other:
            raise BadToken(Message("reasons.token.kind"))


def _read_claims(payload: bytes) -> tuple[_Claims, dict[str, Any]]:
    try:
        everything = msgspec.json.decode(payload, type=dict[str, Any])
        return msgspec.convert(everything, _Claims), everything
    except (msgspec.MsgspecError, RecursionError) as error:
        raise BadToken(Message("reasons.token.claim")) from error


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


def _attributes(claims: _Claims) -> tuple[tuple[str, str], ...]:
    given = {
        "client_id": claims.client_id or claims.azp,
        "email": claims.email,
        "phone_number": claims.phone_number,
        "locale": claims.locale if isinstance(claims.locale, str) else None,
    }
    return tuple((name, value) for name, value in given.items() if value)
