"""Signing in with a password: charged before it is checked, locked with a growing pause.

Every attempt counts as a failure until the password has proved right, so that many at once get no
more guesses than one after another. All refusals read and take the same, whether the user exists,
is disabled, is locked, or the password was wrong.
"""

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import Database, utc_now
from msil_mcp.errors import Unauthenticated
from msil_mcp.identity.passwords import Passwords
from msil_mcp.identity.tables import User

FREE_FAILURES: Final = 5
FIRST_PAUSE: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(minutes=15)

log = structlog.get_logger()


class SignInRefused(Unauthenticated):
    """No session for this username and password."""

    slug = "sign_in_refused"

    def __init__(self, user_id: int | None = None) -> None:
        super().__init__()
        # Of the account that was tried, for the record; the answer must not tell that there is one.
        self.user_id = user_id


async def sign_in(
    database: Database, *, username: str, password: str, passwords: Passwords
) -> User:
    """The user whose password this is, or SignInRefused; SignInsBusy where too many wait."""
    with passwords.place():
        async with database.unit_of_work() as session:
            user = await _charge(session, username=username.casefold(), now=utc_now())
        matches = await passwords.matches(user.password_hash if user else None, password)
    if user is None or not matches:
        user_id = user.id if user else None
        log.warning("sign_in_refused", user_id=user_id)
        raise SignInRefused(user_id)
    await note_sign_in(database, user_id=user.id)
    return user


async def note_sign_in(database: Database, *, user_id: int) -> None:
    """The user is in: earlier failures are forgiven."""
    async with database.unit_of_work() as session:
        await session.execute(
            update(User)
            .where(User.id == user_id)
            .values(failed_logins=0, locked_until=None, last_login_at=utc_now())
        )


def pause_after(failures: int) -> timedelta | None:
    """How long an account is locked after this many failures in a row."""
    if failures < FREE_FAILURES:
        return None
    pause = FIRST_PAUSE * (1 << min(failures - FREE_FAILURES, 10))
    return min(pause, LONGEST_PAUSE)


async def _charge(session: AsyncSession, *, username: str, now: datetime) -> User | None:
    """Count an attempt; None when this user may not try at present."""
    query = select(User).where(User.username == username, User.active.is_(True))
    user = await session.scalar(query.with_for_update())
    if user is None or (user.locked_until is not None and user.locked_until > now):
        return None
    user.failed_logins += 1
    if (pause := pause_after(user.failed_logins)) is not None:
        user.locked_until = now + pause
        log.warning("account_locked", user_id=user.id, seconds=pause.total_seconds())
    return user
