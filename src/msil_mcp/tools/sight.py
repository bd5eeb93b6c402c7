"""Who sees a tool and why: by which exposures of which roles, within which scopes."""

from collections.abc import Iterable
from typing import Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import utc_now
from msil_mcp.errors import NotFound
from msil_mcp.identity.tables import ApiKey, Role, RoleExposure, User
from msil_mcp.principal import Principal
from msil_mcp.tools.catalogue import Catalogue
from msil_mcp.tools.snapshot import Snapshot
from msil_mcp.tools.views import Grant, PrincipalVisibility, RoleSight, Sight, ToolVisibility


class NobodyThere(NotFound):
    """No user or key has the id."""

    slug = "no_such_principal"

    def __init__(self, kind: str, number: int) -> None:
        super().__init__(case=kind, number=number)


async def tool_sight(session: AsyncSession, snapshot: Snapshot, name: str) -> ToolVisibility:
    """Every role, and what it sees the tool by; NoSuchTool."""
    grants = await _grants(session, name)
    in_force = name in snapshot.tools
    roles = await session.scalars(select(Role.name).order_by(Role.name))
    return ToolVisibility(
        tool=name,
        in_force=in_force,
        roles=[
            RoleSight(
                role=role,
                visible=in_force and any(grant.role == role for grant in grants),
                grants=[grant for grant in grants if grant.role == role],
            )
            for role in roles
        ],
    )


async def principal_sight(
    session: AsyncSession, snapshot: Snapshot, name: str, *, kind: Literal["user", "key"], id_: int
) -> PrincipalVisibility:
    """Whether a user or key sees the tool, by the decision that a call is judged by."""
    principal, active = await (_user if kind == "user" else _key)(session, id_)
    grants = [grant for grant in await _grants(session, name) if grant.role in principal.roles]
    reason = _reason(snapshot, principal, name, active=active, grants=grants)
    return PrincipalVisibility(
        tool=name,
        principal_id=principal.id,
        name=principal.name,
        roles=sorted(principal.roles),
        scopes=None if principal.scopes is None else sorted(principal.scopes),
        visible=reason == "granted",
        reason=reason,
        grants=grants,
    )


async def _user(session: AsyncSession, user_id: int) -> tuple[Principal, bool]:
    user = await session.get(User, user_id)
    if user is None:
        raise NobodyThere("user", user_id)
    principal = Principal(
        id=f"user:{user_id}",
        kind="user",
        name=user.display_name,
        roles=frozenset(user.roles),
        permissions=frozenset(),
    )
    return principal, user.active


async def _key(session: AsyncSession, key_id: int) -> tuple[Principal, bool]:
    key = await session.get(ApiKey, key_id)
    if key is None:
        raise NobodyThere("key", key_id)
    roles = frozenset(key.roles)
    active = key.revoked_at is None and (key.expires_at is None or key.expires_at > utc_now())
    if key.owner_id is not None:
        # A key has no more than its owner has now.
        owner, owner_active = await _user(session, key.owner_id)
        roles, active = roles & owner.roles, active and owner_active
    principal = Principal(
        id=f"key:{key_id}",
        kind="key",
        name=key.name,
        roles=roles,
        permissions=frozenset(),
        scopes=None if key.scopes is None else frozenset(key.scopes),
    )
    return principal, active


def _reason(
    snapshot: Snapshot,
    principal: Principal,
    name: str,
    *,
    active: bool,
    grants: Iterable[Grant],
) -> Sight:
    tool = snapshot.tools.get(name)
    if tool is None:
        return "not_in_force"
    if not active:
        return "inactive"
    if snapshot.sees(principal, tool):
        return "granted"
    return "outside_scopes" if list(grants) else "no_grant"


async def _grants(session: AsyncSession, name: str) -> list[Grant]:
    bundles = (await Catalogue(session).tool(name)).bundles
    row = RoleExposure
    here = (
        (row.kind == "all")
        | ((row.kind == "bundle") & row.target.in_(bundles))
        | ((row.kind == "tool") & (row.target == name))
    )
    found = await session.scalars(select(row).where(here).order_by(row.role, row.id))
    return [
        Grant(exposure_id=one.id, role=one.role, kind=one.kind, target=one.target) for one in found
    ]
