"""Everything a request is authenticated against, held in memory and swapped as a whole."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.identity.tables import ApiKey, EndedSession, ExposureKind, Role, RoleExposure, User
from msil_mcp.principal import Principal


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What a presented API key is checked against; revoked keys have no record."""

    id: int
    name: str
    owner_id: int | None
    roles: frozenset[str]
    scopes: frozenset[str] | None
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserRecord:
    """What a person's session is checked against; inactive users have no record."""

    id: int
    username: str
    display_name: str
    email: str | None
    preferences: Mapping[str, str]
    roles: frozenset[str]
    session_epoch: int
    has_password: bool
    issuer: str | None


@dataclass(frozen=True, slots=True)
class Exposure:
    """A grant of sight; `target` names the bundle or tool and is empty for all."""

    kind: ExposureKind
    target: str


@dataclass(frozen=True, slots=True)
class IdentitySnapshot:
    """Immutable: API keys by digest, active users by id, roles, exposures by role.

    `barred` are issuer and subject of people whose account is disabled, `numbered_keys` the same
    keys by id.
    """

    keys: Mapping[bytes, KeyRecord] = field(default_factory=dict)
    users: Mapping[int, UserRecord] = field(default_factory=dict)
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)
    exposures: Mapping[str, tuple[Exposure, ...]] = field(default_factory=dict)
    ended_sessions: frozenset[str] = frozenset()
    barred: frozenset[tuple[str, str]] = frozenset()
    numbered_keys: Mapping[int, KeyRecord] = field(default_factory=dict)

    def known(self, names: Iterable[str]) -> frozenset[str]:
        """The names that are roles here; a claim cannot invent others."""
        return frozenset(name for name in names if name in self.roles)

    def still_has(self, principal: Principal) -> bool:
        """Whether who was authenticated some time ago would be now, with no fewer roles."""
        number = principal.id.partition(":")[2]
        if principal.kind == "user":
            user = self.users.get(int(number))
            return user is not None and principal.roles <= user.roles
        if principal.kind == "key":
            key = self.numbered_keys.get(int(number))
            return key is not None and principal.roles <= self._roles_of(key)
        return tuple(number.rsplit("#", 1)) not in self.barred

    def _roles_of(self, key: KeyRecord) -> frozenset[str]:
        if key.owner_id is None:
            return key.roles
        owner = self.users.get(key.owner_id)
        return frozenset() if owner is None else key.roles & owner.roles

    def permissions_of(self, roles: Iterable[str]) -> frozenset[str]:
        """What these roles may do over REST, together."""
        return frozenset().union(*(self.roles.get(role, frozenset()) for role in roles))


async def load_identity(session: AsyncSession) -> IdentitySnapshot:
    """Read the five tables once; a few milliseconds, off the path of any call."""
    exposures: dict[str, list[Exposure]] = defaultdict(list)
    for row in await session.scalars(select(RoleExposure).order_by(RoleExposure.id)):
        exposures[row.role].append(Exposure(kind=row.kind, target=row.target))
    keys = await session.scalars(select(ApiKey).where(ApiKey.revoked_at.is_(None)))
    by_digest = {row.digest: _key_record(row) for row in keys}
    users = await session.scalars(select(User).where(User.active.is_(True)))
    ended = select(EndedSession.id).where(EndedSession.expires_at > int(time.time()))
    barred = select(User.issuer, User.subject).where(
        User.active.is_(False), User.issuer.is_not(None)
    )
    return IdentitySnapshot(
        keys=by_digest,
        numbered_keys={record.id: record for record in by_digest.values()},
        users={row.id: _user_record(row) for row in users},
        roles={row.name: frozenset(row.permissions) for row in await session.scalars(select(Role))},
        exposures={role: tuple(grants) for role, grants in exposures.items()},
        ended_sessions=frozenset(await session.scalars(ended)),
        barred=frozenset(
            (issuer, subject)
            for issuer, subject in await session.execute(barred)
            if issuer is not None and subject is not None
        ),
    )


def _key_record(row: ApiKey) -> KeyRecord:
    return KeyRecord(
        id=row.id,
        name=row.name,
        owner_id=row.owner_id,
        roles=frozenset(row.roles),
        scopes=None if row.scopes is None else frozenset(row.scopes),
        expires_at=row.expires_at,
    )


def _user_record(row: User) -> UserRecord:
    return UserRecord(
        id=row.id,
        username=row.username,
        display_name=row.display_name,
        email=row.email,
        preferences=row.preferences,
        roles=frozenset(row.roles),
        session_epoch=row.session_epoch,
        has_password=row.password_hash is not None,
        issuer=row.issuer,
    )
