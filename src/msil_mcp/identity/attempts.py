"""Sign-ins under way with the identity provider: known by this browser alone, and ended once.

What must be remembered between leaving for the provider and coming back is sealed into a cookie,
so any replica can end what another began. The newest few are kept, for people with several tabs.
"""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec
from sqlalchemy.exc import IntegrityError
from starlette.responses import Response

from msil_mcp.db.database import Database
from msil_mcp.errors import BadRequest
from msil_mcp.identity.cookies import read_cookie
from msil_mcp.identity.tables import UsedSignIn
from msil_mcp.sealing import BadSeal, Keyring
from msil_mcp.settings import Settings

PURPOSE: Final = "oidc-sign-in"
ATTEMPT_SECONDS: Final = 600
KEPT: Final = 3
MAX_COOKIE: Final = 4000


class SignInExpired(BadRequest):
    """Nobody began this sign-in here, or it took too long, or it has been used."""

    slug = "sign_in_expired"


class Attempt(msgspec.Struct, frozen=True):
    """One sign-in under way; `expires_at` in seconds of the epoch."""

    state: str
    nonce: str
    verifier: str
    following: str
    expires_at: int


class Attempts:
    """Begins attempts, finds them again in the browser's cookie, and uses each up."""

    def __init__(
        self, settings: Settings, keyring: Keyring, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._sealer = keyring.sealer(PURPOSE)
        self._secure = settings.base_url.startswith("https:")
        self._clock = clock
        self.name = "__Host-msil_sign_in" if self._secure else "msil_sign_in"

    def begin(self, *, following: str) -> Attempt:
        """A fresh attempt; afterwards the browser is to go to `following`."""
        return Attempt(
            state=secrets.token_urlsafe(24),
            nonce=secrets.token_urlsafe(24),
            verifier=secrets.token_urlsafe(48),
            following=following,
            expires_at=int(self._clock()) + ATTEMPT_SECONDS,
        )

    def under_way(self, headers: Mapping[str, str]) -> list[Attempt]:
        """This browser's, newest first."""
        cookie = read_cookie(headers, self.name)
        try:
            raw = self._sealer.open(cookie) if cookie and len(cookie) <= MAX_COOKIE else b"[]"
            attempts = msgspec.json.decode(raw, type=list[Attempt])
        except (BadSeal, msgspec.MsgspecError):
            return []
        now = self._clock()
        return [attempt for attempt in attempts if attempt.expires_at > now]

    def find(self, headers: Mapping[str, str], *, state: str) -> Attempt:
        """The attempt that the provider's answer belongs to, or SignInExpired."""
        for attempt in self.under_way(headers):
            if hmac.compare_digest(attempt.state.encode(), state.encode()):
                return attempt
        raise SignInExpired

    def remember(self, attempts: Sequence[Attempt], response: Response) -> None:
        """Have the browser keep these, and no others."""
        kept = list(attempts[:KEPT])
        while kept and len(cookie := self._sealer.seal(msgspec.json.encode(kept))) > MAX_COOKIE:
            kept.pop()
        if not kept:
            response.delete_cookie(self.name, secure=self._secure, httponly=True, samesite="lax")
            return
        response.set_cookie(
            self.name,
            cookie,
            max_age=ATTEMPT_SECONDS,
            secure=self._secure,
            httponly=True,
            # Coming back from the provider is a link from its site, and only lax lets it pass.
            samesite="lax",
        )


async def use_up(database: Database, attempt: Attempt) -> None:
    """End an attempt in every process; whoever shows it again gets SignInExpired."""
    digest = hashlib.sha256(attempt.state.encode()).hexdigest()
    try:
        async with database.unit_of_work() as session:
            session.add(UsedSignIn(digest=digest, expires_at=attempt.expires_at))
    except IntegrityError as error:
        raise SignInExpired from error
