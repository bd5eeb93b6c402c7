"""Roles and what each may see.

A role carries REST permissions; its exposures say which tools it may see. Out of the box
`administrator` and `integrator` see all tools and every other role sees none until somebody grants
it; the demo alone shows `user` all tools.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, get_args

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Conflict, Forbidden, NotFound
from msil_mcp.identity.tables import ApiKey, ExposureKind, Role, RoleExposure, User
from msil_mcp.locales import Message
from msil_mcp.principal import BUILTIN_ROLES, Permission, Principal

ADMINISTRATOR: Final = "administrator"
EVERY_TOOL: Final = "tools"
"""The scope that leaves the roles' sight whole."""
DEFAULT_EXPOSED: Final = frozenset({ADMINISTRATOR, "integrator"})
DESCRIPTIONS: Final = {
    ADMINISTRATOR: "May do everything.",
    "integrator": "Imports, publishes and tries tools.",
    "auditor": "Reads the audit trail and exports it.",
    "operator": "Watches and runs the service.",
    "user": "Uses the chat and the tools shown to it.",
}


class UnknownRole(NotFound):
    """A role was named that does not exist."""

    slug = "unknown_role"

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__(names=", ".join(sorted(names)))


class RoleExists(Conflict):
    """The name is taken."""

    slug = "role_exists"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


class BuiltinRole(Conflict):
    """A builtin role follows the product and cannot be changed."""

    slug = "builtin_role"

    def __init__(self, name: str) -> None:
        super().__init__(name=name)


class RoleInUse(Conflict):
    """Users or keys still carry the role."""

    slug = "role_in_use"

    def __init__(self, name: str, *, users: int, keys: int) -> None:
        super().__init__(name=name, users=users, keys=keys)


class GrantExceedsOwn(Forbidden):
    """Somebody tried to give away more than they have."""

    slug = "grant_exceeds_own"

    def __init__(self, missing: Iterable[str]) -> None:
        super().__init__(missing=", ".join(sorted(missing)))


class ScopesExceedOwn(Forbidden):
    """A caller held to some tools tried to have somebody reach others."""

    slug = "scopes_exceed_own"

    def __init__(self, own: frozenset[str]) -> None:
        super().__init__(scopes=", ".join(sorted(own)) or Message("words.none"))


async def ensure_roles(session: AsyncSession, *, show_user_all: bool = False) -> bool:
    """Make the builtin roles' rows what this release says; returns whether anything changed.

    Default exposures are given when a role first appears, so that one taken away stays away.
    """
    if not _outdated(await _roles_by_name(session)):
        return False
    # The lock comes with it: of two processes that start together, the second finds all done.
    await bump_generation(session)
    present = await _roles_by_name(session)
    for name in _outdated(present):
        role = present.get(name)
        if role is None:
            role = Role(name=name, description=DESCRIPTIONS[name])
            session.add(role)
            await session.flush()
            if name in DEFAULT_EXPOSED or (show_user_all and name == "user"):
                session.add(RoleExposure(role=name, kind="all", target=""))
        role.permissions, role.builtin = sorted(BUILTIN_ROLES[name]), True
    return True


async def check_grant(session: AsyncSession, *, roles: Sequence[str], by: Principal) -> None:
    """Refuse roles that do not exist, or that carry permissions the granter lacks."""
    found = list(await session.scalars(select(Role).where(Role.name.in_(roles))))
    if unknown := set(roles) - {role.name for role in found}:
        raise UnknownRole(unknown)
    _check_within_own((item for role in found for item in role.permissions), by=by)


def check_reach(scopes: Collection[str] | None, *, by: Principal) -> None:
    """Refuse sight of more tools than the granter's own scopes leave; None is no scopes at all.

    An account has none, so whoever is held to some tools can neither make one nor take one over.
    """
    if by.scopes is None or EVERY_TOOL in by.scopes:
        return
    if scopes is None or not by.scopes >= set(scopes):
        raise ScopesExceedOwn(by.scopes)


async def list_roles(session: AsyncSession, *, after: str, limit: int) -> Sequence[Role]:
    """Roles by name, one more than asked for so that a page knows whether it is the last."""
    query = select(Role).where(Role.name > after).order_by(Role.name).limit(limit + 1)
    return list(await session.scalars(query))


async def create_role(
    session: AsyncSession,
    *,
    name: str,
    description: str,
    permissions: Iterable[Permission],
    by: Principal,
) -> Role:
    """A role of one's own."""
    await bump_generation(session)
    if await session.get(Role, name) is not None:
        raise RoleExists(name)
    wanted: list[str] = sorted(set(permissions))
    _check_within_own(wanted, by=by)
    role = Role(name=name, description=description, permissions=wanted, builtin=False)
    session.add(role)
    await session.flush()
    return role


async def update_role(
    session: AsyncSession,
    *,
    name: str,
    by: Principal,
    description: str | None = None,
    permissions: Iterable[Permission] | None = None,
) -> Role:
    """Change a role of one's own; what is None stays."""
    await bump_generation(session)
    role = await _own_role(session, name)
    if description is not None:
        role.description = description
    if permissions is not None:
        wanted: list[str] = sorted(set(permissions))
        _check_within_own([*wanted, *role.permissions], by=by)
        role.permissions = wanted
    return role


async def delete_role(session: AsyncSession, *, name: str) -> None:
    """Remove a role of one's own that nobody carries; its exposures go with it."""
    await bump_generation(session)
    role = await _own_role(session, name)
    users = [carried for carried in await session.scalars(select(User.roles)) if name in carried]
    live = select(ApiKey.roles).where(ApiKey.revoked_at.is_(None))
    keys = [carried for carried in await session.scalars(live) if name in carried]
    if users or keys:
        raise RoleInUse(name, users=len(users), keys=len(keys))
    await session.delete(role)


async def list_exposures(
    session: AsyncSession, *, after: int, limit: int
) -> Sequence[RoleExposure]:
    """Grants of sight by id, one more than asked for."""
    query = (
        select(RoleExposure)
        .where(RoleExposure.id > after)
        .order_by(RoleExposure.id)
        .limit(limit + 1)
    )
    return list(await session.scalars(query))


async def expose(
    session: AsyncSession, *, role: str, kind: ExposureKind, target: str = ""
) -> RoleExposure:
    """Let a role see all tools, a bundle's, or one; granting twice is granting once."""
    await bump_generation(session)
    if await session.get(Role, role) is None:
        raise UnknownRole([role])
    same = select(RoleExposure).where(
        RoleExposure.role == role, RoleExposure.kind == kind, RoleExposure.target == target
    )
    existing = await session.scalar(same)
    if existing is not None:
        return existing
    exposure = RoleExposure(role=role, kind=kind, target=target)
    session.add(exposure)
    await session.flush()
    return exposure


async def conceal(session: AsyncSession, *, exposure_id: int) -> RoleExposure:
    """Take a grant of sight back; the administrator's stays, or nobody could see what is wrong."""
    await bump_generation(session)
    exposure = await session.get(RoleExposure, exposure_id)
    if exposure is None:
        raise NotFound(case="exposure", exposure=exposure_id)
    if exposure.role == ADMINISTRATOR and exposure.kind == "all":
        raise BuiltinRole(ADMINISTRATOR)
    await session.delete(exposure)
    return exposure


async def _roles_by_name(session: AsyncSession) -> dict[str, Role]:
    rows = await session.scalars(select(Role).execution_options(populate_existing=True))
    return {role.name: role for role in rows}


def _outdated(present: Mapping[str, Role]) -> list[str]:
    return [
        name
        for name, permissions in BUILTIN_ROLES.items()
        if (role := present.get(name)) is None
        or not role.builtin
        or set(role.permissions) != permissions
    ]


def _check_within_own(permissions: Iterable[str], *, by: Principal) -> None:
    known = set(permissions) & set(get_args(Permission))
    if missing := known - by.permissions:
        raise GrantExceedsOwn(missing)


async def _own_role(session: AsyncSession, name: str) -> Role:
    role = await session.get(Role, name, with_for_update=True)
    if role is None:
        raise UnknownRole([name])
    if role.builtin:
        raise BuiltinRole(name)
    return role
