"""Local users: accounts for the embedded default, where no identity provider is configured.

A user is never deleted, only disabled: the audit trail names users by id. Every change raises the
generation first: that row's lock puts changes in a line, so that two administrators cannot disable
each other, nor take the same name, at the same moment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Conflict, NotFound
from msil_mcp.identity.passwords import Passwords, generate_password
from msil_mcp.identity.preferences import Preferences
from msil_mcp.identity.roles import ADMINISTRATOR, check_grant, check_reach
from msil_mcp.identity.tables import User
from msil_mcp.principal import Principal

FIRST_USERNAME = "admin"


class UsernameTaken(Conflict):
    """Another user has the name, in whatever case."""

    slug = "username_taken"

    def __init__(self, username: str) -> None:
        super().__init__(username=username)


class UserNotFound(NotFound):
    """No user has the id."""

    slug = "user_not_found"

    def __init__(self, user: int | str) -> None:
        super().__init__(user=user)


class ProviderAccount(Conflict):
    """A password would let somebody in whom the identity provider keeps out."""

    slug = "provider_account"


class LastAdministrator(Conflict):
    """The change would leave nobody able to administer."""

    slug = "last_administrator"


@dataclass(frozen=True, slots=True)
class UserChange:
    """What to change; None leaves a thing as it is."""

    display_name: str | None = None
    email: str | None = None
    roles: Sequence[str] | None = None
    active: bool | None = None
    preferences: Preferences | None = None


async def create_user(
    session: AsyncSession,
    *,
    username: str,
    display_name: str,
    roles: Sequence[str],
    password_hash: str | None,
    by: Principal,
    email: str | None = None,
    preferences: Mapping[str, str] | None = None,
) -> User:
    """A new active user; without a password hash nobody can sign in as it yet."""
    await bump_generation(session)
    await check_grant(session, roles=roles, by=by)
    check_reach(None, by=by)
    name = username.casefold()
    if await session.scalar(select(User.id).where(User.username == name)) is not None:
        raise UsernameTaken(name)
    user = User(
        username=name,
        display_name=display_name,
        email=email,
        password_hash=password_hash,
        roles=sorted(set(roles)),
        preferences=dict(preferences or {}),
    )
    session.add(user)
    await session.flush()
    return user


async def find_user(session: AsyncSession, *, user_id: int) -> User:
    """The user as they are now; UserNotFound otherwise."""
    user = await session.get(User, user_id)
    if user is None:
        raise UserNotFound(user_id)
    return user


async def lock_user(session: AsyncSession, *, user_id: int) -> User:
    """The user, for a change: nobody else changes it until the transaction ends."""
    user = await session.get(User, user_id, with_for_update=True)
    if user is None:
        raise UserNotFound(user_id)
    return user


async def list_users(session: AsyncSession, *, after: int, limit: int) -> Sequence[User]:
    """Users by id, one more than asked for."""
    query = select(User).where(User.id > after).order_by(User.id).limit(limit + 1)
    return list(await session.scalars(query))


async def update_user(
    session: AsyncSession, *, user_id: int, change: UserChange, by: Principal
) -> User:
    """Change, disable or enable; disabling ends the user's sessions and stops its keys."""
    await bump_generation(session)
    user = await lock_user(session, user_id=user_id)
    await check_grant(session, roles=[*(change.roles or ()), *user.roles], by=by)
    if change.roles is not None or change.active:
        check_reach(None, by=by)
    demoted = change.roles is not None and ADMINISTRATOR not in change.roles
    if change.active is False or demoted:
        await _keep_an_administrator(session, leaving=user)
    for name in ("display_name", "email", "active"):
        if (value := getattr(change, name)) is not None:
            setattr(user, name, value)
    if change.preferences is not None:
        user.preferences = change.preferences.onto(user.preferences)
    if change.roles is not None:
        user.roles = sorted(set(change.roles))
    if change.active is False:
        user.session_epoch += 1
    return user


async def set_preferences(session: AsyncSession, *, user_id: int, preferences: Preferences) -> User:
    """Change how a person wants to be met; what is absent stays."""
    await bump_generation(session)
    user = await lock_user(session, user_id=user_id)
    user.preferences = preferences.onto(user.preferences)
    return user


async def set_password(
    session: AsyncSession, *, user_id: int, password_hash: str, by: Principal
) -> User:
    """Replace the password, lift a lock and end every session the old password opened."""
    await bump_generation(session)
    user = await lock_user(session, user_id=user_id)
    await check_grant(session, roles=user.roles, by=by)
    check_reach(None, by=by)
    if user.issuer is not None:
        raise ProviderAccount
    user.password_hash = password_hash
    user.failed_logins, user.locked_until = 0, None
    user.session_epoch += 1
    return user


async def ensure_administrator(session: AsyncSession, *, passwords: Passwords) -> str | None:
    """On a database without users, make `admin`; returns its generated password, to show once."""
    anybody = select(User.id).limit(1)
    if await session.scalar(anybody) is not None:
        return None
    await bump_generation(session)
    if await session.scalar(anybody) is not None:
        return None
    password = generate_password()
    session.add(
        User(
            username=FIRST_USERNAME,
            display_name="Administrator",
            password_hash=await passwords.hash(password),
            roles=[ADMINISTRATOR],
        )
    )
    await session.flush()
    return password


async def _keep_an_administrator(session: AsyncSession, *, leaving: User) -> None:
    if ADMINISTRATOR not in leaving.roles or not leaving.active:
        return
    others = select(User.roles).where(User.active.is_(True), User.id != leaving.id)
    if not any(ADMINISTRATOR in roles for roles in await session.scalars(others)):
        raise LastAdministrator
