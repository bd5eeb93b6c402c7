"""/api/roles: what roles may do over REST, and which tools each may see."""

from typing import Annotated, Self

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError
from starlette.requests import Request

from msil_mcp.db.database import database_of
from msil_mcp.identity.administering import administering
from msil_mcp.identity.roles import (
    BuiltinRole,
    RoleExists,
    RoleInUse,
    UnknownRole,
    check_reach,
    conceal,
    create_role,
    delete_role,
    expose,
    list_exposures,
    list_roles,
    update_role,
)
from msil_mcp.identity.tables import ExposureKind
from msil_mcp.pagination import Cursor, Limit, Page, decode_cursor, page_of
from msil_mcp.principal import Permission, Principal, require

router = APIRouter(prefix="/api/roles", tags=["roles"])
RoleAdmin = Annotated[Principal, Depends(require("roles:manage"))]


class RoleView(BaseModel):
    """A role and its permissions."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    description: str
    permissions: list[str]
    builtin: bool


class RoleBody(BaseModel):
    """A role to make."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")
    description: str = Field("", max_length=500)
    permissions: list[Permission] = []


class RolePatch(BaseModel):
    """What to change; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    description: str | None = Field(None, max_length=500)
    permissions: list[Permission] | None = None


class ExposureBody(BaseModel):
    """Let a role see all tools, or those of the bundle or the one tool that `target` names."""

    model_config = ConfigDict(extra="forbid")

    role: str = Field(max_length=64)
    kind: ExposureKind
    target: str = Field("", max_length=200)

    @model_validator(mode="after")
    def _target_goes_with_kind(self) -> Self:
        if (self.kind == "all") == bool(self.target):
            raise PydanticCustomError("role_target", "target does not go with kind")
        return self


class ExposureView(BaseModel):
    """A grant of sight."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    role: str
    kind: ExposureKind
    target: str


@router.get("")
async def read_roles(
    _: RoleAdmin, request: Request, limit: Limit = 50, cursor: Cursor = None
) -> Page[RoleView]:
    """Roles by name."""
    after = decode_cursor(cursor, tuple[str])[0] if cursor else ""
    async with database_of(request).reading() as session:
        found = await list_roles(session, after=after, limit=limit)
    rows, following = page_of(found, limit=limit, key=lambda role: (role.name,))
    return Page(items=[RoleView.model_validate(row) for row in rows], next_cursor=following)


@router.post("", status_code=201, responses={409: {"description": RoleExists.title}})
async def add_role(body: RoleBody, admin: RoleAdmin, request: Request) -> RoleView:
    """Make a role; it sees no tools until something is exposed to it."""
    facts = body.model_dump()
    async with administering(request, admin) as change:
        role = await create_role(change.session, **facts, by=admin)
        change.record("role.created", f"role:{role.name}", permissions=role.permissions)
    return RoleView.model_validate(role)


@router.patch("/{name}", responses={409: {"description": BuiltinRole.title}})
async def change_role(name: str, body: RolePatch, admin: RoleAdmin, request: Request) -> RoleView:
    """Change a role of one's own."""
    wanted = body.model_dump(exclude_none=True)
    async with administering(request, admin) as change:
        role = await update_role(change.session, name=name, by=admin, **wanted)
        change.record("role.changed", f"role:{name}", **wanted)
    return RoleView.model_validate(role)


@router.delete("/{name}", status_code=204, responses={409: {"description": RoleInUse.title}})
async def remove_role(name: str, admin: RoleAdmin, request: Request) -> None:
    """Remove a role that nobody carries."""
    async with administering(request, admin) as change:
        await delete_role(change.session, name=name)
        change.record("role.deleted", f"role:{name}")


@router.get("/exposures")
async def read_exposures(
    _: RoleAdmin, request: Request, limit: Limit = 50, cursor: Cursor = None
) -> Page[ExposureView]:
    """Which tools each role may see, by id of the grant."""
    after = decode_cursor(cursor, tuple[int])[0] if cursor else 0
    async with database_of(request).reading() as session:
        found = await list_exposures(session, after=after, limit=limit)
    rows, following = page_of(found, limit=limit, key=lambda row: (row.id,))
    return Page(items=[ExposureView.model_validate(row) for row in rows], next_cursor=following)


@router.post("/exposures", status_code=201, responses={404: {"description": UnknownRole.title}})
async def add_exposure(body: ExposureBody, admin: RoleAdmin, request: Request) -> ExposureView:
    """Let a role see tools."""
    facts = body.model_dump()
    check_reach(None, by=admin)
    async with administering(request, admin) as change:
        exposure = await expose(change.session, **facts)
        change.record("exposure.granted", f"exposure:{exposure.id}", **facts)
    return ExposureView.model_validate(exposure)


@router.delete(
    "/exposures/{exposure_id}", status_code=204, responses={409: {"description": BuiltinRole.title}}
)
async def remove_exposure(exposure_id: int, admin: RoleAdmin, request: Request) -> None:
    """Take a grant of sight back."""
    async with administering(request, admin) as change:
        gone = await conceal(change.session, exposure_id=exposure_id)
        facts = {"role": gone.role, "kind": gone.kind, "target": gone.target}
        change.record("exposure.removed", f"exposure:{exposure_id}", **facts)
