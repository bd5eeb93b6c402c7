"""People whom the identity provider knows: found by issuer and subject, made when first seen.

Nobody is ever matched by name or address: those may be chosen by whoever asks. A provider that
sends the roles claim governs the roles; one that does not leaves them to the administrators.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import utc_now
from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Forbidden
from msil_mcp.identity.claims import RoleClaims
from msil_mcp.identity.tables import Role, User

LONGEST_SUBJECT: Final = 255
LONGEST_NAME: Final = 64


class NoRole(Forbidden):
    """The provider confirmed the person, and nothing gives them a role here."""

    slug = "no_role"


class AccountDisabled(Forbidden):
    """An administrator disabled the account."""

    slug = "account_disabled"


@dataclass(frozen=True, slots=True)
class Person:
    """Who signed in; `roles` of None says that the provider tells nothing of roles."""

    issuer: str
    subject: str
    username: str
    name: str
    email: str | None
    roles: tuple[str, ...] | None

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any], *, roles: RoleClaims) -> "Person":
        """As proved by the provider."""
        email = _text(claims, "email") if claims.get("email_verified") is not False else ""
        username = _text(claims, "preferred_username") or email or str(claims["sub"])
        return cls(
            issuer=str(claims["iss"]),
            subject=str(claims["sub"]),
            username=username,
            name=_text(claims, "name") or username,
            email=email[:254] or None,
            roles=roles.read(claims),
        )


@dataclass(frozen=True, slots=True)
class Admitted:
    """The account, and what was changed about it; nothing of that for most who come back."""

    user: User
    made: bool
    changes: Mapping[str, Any]


async def admit(session: AsyncSession, person: Person, *, default_role: str) -> Admitted:
    """The person's account as it is to be now; NoRole, or AccountDisabled."""
    user = await _find(session, person)
    wanted = await _wanted(session, person, user, default_role=default_role)
    if user is None or _changes(user, wanted):
        # The lock that comes with it puts changes in a line: what was read is read again.
        await bump_generation(session)
        user = await _find(session, person)
        wanted = await _wanted(session, person, user, default_role=default_role)
    if user is None:
        return Admitted(await _make(session, person, wanted), made=True, changes={})
    if not user.active:
        raise AccountDisabled
    changes = _changes(user, wanted)
    for name, value in changes.items():
        setattr(user, name, value)
    user.last_login_at = utc_now()
    return Admitted(user, made=False, changes=changes)


async def _find(session: AsyncSession, person: Person) -> User | None:
    query = select(User).where(User.issuer == person.issuer, User.subject == person.subject)
    found: User | None = await session.scalar(query.execution_options(populate_existing=True))
    return found


async def _wanted(
    session: AsyncSession, person: Person, user: User | None, *, default_role: str
) -> dict[str, Any]:
    """The columns that follow the provider; NoRole."""
    return {
        "display_name": person.name[:200],
        "email": person.email or (user.email if user else None),
        "roles": await _roles(session, person, user, default_role=default_role),
    }


def _changes(user: User, wanted: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in wanted.items() if getattr(user, name) != value}


async def _roles(
    session: AsyncSession, person: Person, user: User | None, *, default_role: str
) -> list[str]:
    """The roles the person is to have: the provider's, else those of before, else the default."""
    if person.roles is None and user is not None and user.roles:
        return user.roles
    named = await _known(session, person.roles or ())
    if not named and default_role:
        named = await _known(session, [default_role])
    if not named:
        raise NoRole
    return named


async def _known(session: AsyncSession, names: Sequence[str]) -> list[str]:
    query = select(Role.name).where(Role.name.in_(names)).order_by(Role.name)
    return list(await session.scalars(query))


async def _make(session: AsyncSession, person: Person, wanted: Mapping[str, Any]) -> User:
    user = User(
        username=await _free_username(session, person),
        password_hash=None,
        issuer=person.issuer,
        subject=person.subject,
        last_login_at=utc_now(),
        **wanted,
    )
    session.add(user)
    await session.flush()
    return user


async def _free_username(session: AsyncSession, person: Person) -> str:
    """The name the provider gives, or that with a mark of the person when somebody has it."""
    name = person.username.casefold()[:LONGEST_NAME]
    if await session.scalar(select(User.id).where(User.username == name)) is None:
        return name
    mark = hashlib.sha256(f"{person.issuer}#{person.subject}".encode()).hexdigest()[:10]
    return f"{name[: LONGEST_NAME - 11]}-{mark}"


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str):
        return ""
    return "".join(character for character in value if character.isprintable()).strip()
