"""Browser sessions of people: a sealed cookie that proves itself without the database.

A session counts only on a request from this product's own pages. The method does not matter: a
browser says where a request comes from (`Origin`, `Sec-Fetch-Site`), and a script of another site
can neither forge that nor send the custom header that other programs use instead.
"""

import secrets
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Forbidden, Unauthenticated
from msil_mcp.identity.cookies import read_cookie
from msil_mcp.identity.snapshot import IdentitySnapshot, UserRecord
from msil_mcp.identity.tables import EndedSession, UsedSignIn, User
from msil_mcp.sealing import BadSeal, Keyring
from msil_mcp.settings import LOOPBACK, Settings

PURPOSE: Final = "session"
SESSION_SECONDS: Final = 12 * 3600
MAX_COOKIE: Final = 1024
OWN_SITES: Final = frozenset({"same-origin", "none"})

Way = Literal["password", "loopback", "oidc"]
"""How somebody signed in."""


class CrossSiteRequest(Forbidden):
    """A session cookie came with a request another site may have caused."""

    slug = "cross_site_request"


class SessionEnded(Unauthenticated):
    """The session is over: expired, signed out, or ended by a change to the account."""

    slug = "session_ended"


class Session(msgspec.Struct, frozen=True):
    """What the cookie seals; times in seconds of the epoch."""

    id: str
    user_id: int
    epoch: int
    expires_at: int
    way: Way = "password"
    began_at: float = 0.0


class SessionCookies:
    """Opens, checks and ends sessions; over https the cookie is bound to this very host."""

    def __init__(
        self, settings: Settings, keyring: Keyring, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._sealer = keyring.sealer(PURPOSE)
        self._secure = settings.base_url.startswith("https:")
        self._origins = frozenset({settings.base_url, *settings.allowed_origins})
        self._loopback = host_of(settings.base_url) in LOOPBACK
        self._clock = clock
        self.name = "__Host-msil_session" if self._secure else "msil_session"

    def start(self, user: User | UserRecord, response: Response, *, way: Way) -> None:
        """Set the cookie of a new session."""
        now = self._clock()
        session = Session(
            id=secrets.token_hex(16),
            user_id=user.id,
            epoch=user.session_epoch,
            expires_at=int(now) + SESSION_SECONDS,
            way=way,
            began_at=now,
        )
        response.set_cookie(
            self.name,
            self._sealer.seal(msgspec.json.encode(session)),
            max_age=SESSION_SECONDS,
            secure=self._secure,
            httponly=True,
            samesite="lax",
        )

    def clear(self, response: Response) -> None:
        """Have the browser forget the cookie."""
        response.delete_cookie(self.name, secure=self._secure, httponly=True, samesite="lax")

    def present(self, headers: Mapping[str, str]) -> str | None:
        """The session cookie's value, if the request carries one."""
        return read_cookie(headers, self.name)

    def open(self, cookie: str) -> Session:
        """The session a cookie seals, not yet compared with the account; or SessionEnded."""
        try:
            raw = self._sealer.open(cookie) if len(cookie) <= MAX_COOKIE else b""
            session = msgspec.json.decode(raw, type=Session)
        except (BadSeal, msgspec.MsgspecError) as error:
            raise SessionEnded from error
        if session.expires_at <= self._clock():
            raise SessionEnded
        return session

    def user_of(self, session: Session, snapshot: IdentitySnapshot) -> UserRecord:
        """The active user whose session this still is, or SessionEnded."""
        user = snapshot.users.get(session.user_id)
        # A later epoch than the snapshot's is a session younger than the snapshot.
        if user is None or session.epoch < user.session_epoch:
            raise SessionEnded
        if session.id in snapshot.ended_sessions:
            raise SessionEnded
        return user

    def insist_on_own_site(self, headers: Mapping[str, str]) -> None:
        """Refuse a request that a page of another site may have sent with the user's cookie."""
        if not self.is_own_site(headers, default=bool(headers.get("x-requested-with"))):
            raise CrossSiteRequest

    def is_own_site(self, headers: Mapping[str, str], *, default: bool) -> bool:
        """Whether a browser sent the request for our own pages; `default` if none says anything."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is None:
            return default if site is None else site in OWN_SITES
        if origin in self._origins:
            return True
        if not (self._loopback and host_of(origin) in LOOPBACK):
            return False
        # Of a loopback origin the port may differ, behind a proxy of development. That it is no
        # other program's page the browser says; of a WebSocket some do not, and then it is the
        # page's own host that must have been asked.
        if site is None:
            return origin.partition("://")[2] == headers.get("host")
        return site in OWN_SITES


async def forget_ended_sessions(session: AsyncSession) -> None:
    """Delete what says that a session or a sign-in was ended, once it has expired anyway."""
    now = int(time.time())
    await session.execute(delete(EndedSession).where(EndedSession.expires_at < now))
    await session.execute(delete(UsedSignIn).where(UsedSignIn.expires_at < now))


async def end_session(session: AsyncSession, *, ended: Session) -> None:
    """Refuse this session from now on in every process, and forget those that expired anyway."""
    # The lock comes with it: of two requests that end one session, the second finds it ended.
    await bump_generation(session)
    await forget_ended_sessions(session)
    if await session.get(EndedSession, ended.id) is None:
        session.add(EndedSession(id=ended.id, expires_at=ended.expires_at))
        await session.flush()


def host_of(url: str) -> str | None:
    """The host a URL or an origin names; None when it names none that can be read."""
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
