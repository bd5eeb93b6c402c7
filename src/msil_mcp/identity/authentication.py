"""From request headers to a Principal, in memory: API key, access token, or browser session.

The credential is the bearer token of `Authorization`, else `X-API-Key`, else the session cookie;
the first one present is judged and no other is tried. Secrets are compared by looking up a keyed
or plain SHA-256 of them, so that the time taken says nothing about how much of one was right.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from msil_mcp.errors import Unauthenticated
from msil_mcp.identity.key_usage import KeyUsage
from msil_mcp.identity.keys import PURPOSE as KEY_PURPOSE
from msil_mcp.identity.keys import TOKEN_CHARACTERS, looks_like_key
from msil_mcp.identity.people import AccountDisabled
from msil_mcp.identity.roles import ADMINISTRATOR
from msil_mcp.identity.sessions import Session, SessionCookies
from msil_mcp.identity.snapshot import IdentitySnapshot, KeyRecord
from msil_mcp.identity.tokens import LEEWAY_SECONDS, TokenVerifier
from msil_mcp.principal import BUILTIN_ROLES, Principal
from msil_mcp.sealing import Keyring
from msil_mcp.settings import Settings

CACHED_PRINCIPALS: Final = 8192
REVERIFY_SECONDS: Final = 60.0
YOUNG_SECONDS: Final = 10.0
NEWS_SECONDS: Final = 2.0
"""A change in any process is in the snapshot of every other within one."""
NEVER: Final = float("inf")
METADATA_PATH: Final = "/.well-known/oauth-protected-resource/mcp"


class NoCredential(Unauthenticated):
    """The request carries nothing to authenticate."""

    slug = "no_credential"

    def __init__(self, *, tokens: bool) -> None:
        super().__init__(case="key_or_token" if tokens else "key")


class BadAuthorization(Unauthenticated):
    """The Authorization header is not one bearer token."""

    slug = "bad_authorization"

    def __init__(self) -> None:
        super().__init__(challenge='Bearer error="invalid_request"')


class BadKey(Unauthenticated):
    """The API key is not, or no longer, one of ours."""

    slug = "invalid_api_key"

    def __init__(self, *, case: str, **told: Any) -> None:
        super().__init__(case=case, challenge='Bearer error="invalid_token"', **told)


class TokensNotAccepted(Unauthenticated):
    """A token came, and no identity provider is configured."""

    slug = "tokens_not_accepted"

    def __init__(self) -> None:
        super().__init__(challenge='Bearer error="invalid_token"')


class _Known(NamedTuple):
    principal: Principal
    until: float
    key_id: int | None


class RequestAuthenticator:
    """Knows who is calling; `use` gives it the present snapshot, and forgets what it had cached."""

    def __init__(
        self,
        *,
        settings: Settings,
        keyring: Keyring,
        sessions: SessionCookies,
        usage: KeyUsage,
        tokens: TokenVerifier | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._mac = keyring.mac(KEY_PURPOSE)
        self._sessions = sessions
        self._usage = usage
        self._tokens = tokens
        self._default_role = settings.oidc_default_role
        self._metadata = f'resource_metadata="{settings.base_url}{METADATA_PATH}"'
        self._clock = clock
        self.snapshot = IdentitySnapshot()
        self._used_at = 0.0
        self._newer = asyncio.Event()
        self._known: dict[bytes, _Known] = {}

    def use(self, snapshot: IdentitySnapshot) -> None:
        """Judge by this snapshot from the next request on."""
        self.snapshot, self._used_at = snapshot, self._clock()
        self._known = {}
        self._newer.set()
        self._newer = asyncio.Event()

    async def authenticate(self, headers: Mapping[str, str], /) -> Principal:
        """The caller these headers prove; their names are lower case, or looked up without case."""
        credential = headers.get("authorization") or headers.get("x-api-key")
        if credential is not None:
            known = self._known.get(hashlib.sha256(credential.encode()).digest())
            if known is not None and known.until > (now := self._clock()):
                if known.key_id is not None:
                    self._usage.note(known.key_id, now)
                return known.principal
        try:
            return await self._judge(headers)
        except Unauthenticated as error:
            if self._tokens is not None:
                error.challenge = f"{error.challenge}{_separator(error.challenge)}{self._metadata}"
            raise

    async def _judge(self, headers: Mapping[str, str]) -> Principal:
        snapshot = self.snapshot
        authorization, key = headers.get("authorization"), headers.get("x-api-key")
        if authorization:
            known = await self._bearer(_bearer_token(authorization), snapshot)
        elif key:
            known = self._by_key(key, snapshot)
        elif cookie := self._sessions.present(headers):
            return await self._by_session(cookie, headers)
        else:
            raise NoCredential(tokens=self._tokens is not None)
        # A snapshot that arrived while a token was being checked must not meet an older answer.
        if snapshot is self.snapshot:
            self._remember(authorization or key or "", known)
        return known.principal

    def _remember(self, credential: str, known: _Known) -> None:
        if len(self._known) >= CACHED_PRINCIPALS:
            self._known.pop(next(iter(self._known)))
        self._known[hashlib.sha256(credential.encode()).digest()] = known

    async def _bearer(self, credential: str, snapshot: IdentitySnapshot) -> _Known:
        if looks_like_key(credential):
            return self._by_key(credential, snapshot)
        if self._tokens is None:
            raise TokensNotAccepted
        return await self._by_token(credential, self._tokens, snapshot)

    def _by_key(self, key: str, snapshot: IdentitySnapshot) -> _Known:
        if len(key) != TOKEN_CHARACTERS or not looks_like_key(key):
            raise BadKey(case="incomplete", length=TOKEN_CHARACTERS)
        record = next(
            (
                found
                for key_id in self._mac.key_ids
                if (found := snapshot.keys.get(self._mac.digest(key.encode(), key_id=key_id)))
            ),
            None,
        )
        now = self._clock()
        if record is None:
            raise BadKey(case="unknown")
        if record.expires_at is not None and record.expires_at.timestamp() <= now:
            raise BadKey(case="expired", at=record.expires_at.isoformat(timespec="seconds"))
        principal = _key_principal(record, snapshot)
        self._usage.note(record.id, now)
        until = NEVER if record.expires_at is None else record.expires_at.timestamp()
        return _Known(principal, until, record.id)

    async def _by_token(
        self, token: str, verifier: TokenVerifier, snapshot: IdentitySnapshot
    ) -> _Known:
        verified = await verifier.verify(token)
        if (verified.issuer, verified.subject) in snapshot.barred:
            # Whoever was disabled here holds tokens that the provider knows nothing against.
            raise AccountDisabled
        named = verified.roles or ((self._default_role,) if self._default_role else ())
        roles = snapshot.known(named)
        end = verified.expires_at + LEEWAY_SECONDS
        principal = Principal(
            id=f"oidc:{verified.issuer}#{verified.subject}",
            kind="token",
            name=verified.name,
            roles=roles,
            permissions=snapshot.permissions_of(roles),
            scopes=verified.scopes,
            expires_at=datetime.fromtimestamp(end, UTC),
            attributes=dict(verified.attributes),
        )
        return _Known(principal, min(end, self._clock() + REVERIFY_SECONDS), None)

    async def _by_session(self, cookie: str, headers: Mapping[str, str]) -> Principal:
        session = self._sessions.open(cookie)
        self._sessions.insist_on_own_site(headers)
        if session.user_id not in self.snapshot.users:
            await self._wait_for_news(of=session)
        snapshot = self.snapshot
        user = self._sessions.user_of(session, snapshot)
        return Principal(
            id=f"user:{user.id}",
            kind="user",
            name=user.display_name,
            roles=user.roles,
            permissions=snapshot.permissions_of(user.roles),
            expires_at=datetime.fromtimestamp(session.expires_at, UTC),
            attributes={
                "username": user.username,
                **({"locale": locale} if (locale := user.preferences.get("locale")) else {}),
                **({"email": user.email} if user.email else {}),
                **({"issuer": user.issuer} if user.issuer else {}),
            },
        )

    async def _wait_for_news(self, *, of: Session) -> None:
        """Somebody may have become known in another process, later than this snapshot was read."""
        if not self._used_at < of.began_at <= self._clock() < of.began_at + YOUNG_SECONDS:
            return
        try:
            async with asyncio.timeout(NEWS_SECONDS):
                await self._newer.wait()
        except TimeoutError:
            return


def cli_principal() -> Principal:
    """Whoever may run commands beside the server's data may administer it."""
    return Principal(
        id="system:cli",
        kind="system",
        name="Command line",
        roles=frozenset({ADMINISTRATOR}),
        permissions=frozenset(BUILTIN_ROLES[ADMINISTRATOR]),
    )


def _key_principal(record: KeyRecord, snapshot: IdentitySnapshot) -> Principal:
    roles, attributes = record.roles, {}
    if record.owner_id is not None:
        owner = snapshot.users.get(record.owner_id)
        if owner is None:
            raise BadKey(case="owner_disabled")
        roles = roles & owner.roles
        attributes = {"owner": f"user:{owner.id}"}
    return Principal(
        id=f"key:{record.id}",
        kind="key",
        name=record.name,
        roles=roles,
        permissions=snapshot.permissions_of(roles),
        scopes=record.scopes,
        expires_at=record.expires_at,
        attributes=attributes,
    )


def _bearer_token(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or " " in token:
        raise BadAuthorization
    return token


def _separator(challenge: str) -> str:
    return ", " if " " in challenge else " "
