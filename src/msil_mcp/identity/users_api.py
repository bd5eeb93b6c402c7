"""/api/users: accounts, those of an identity provider's people among them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request

from msil_mcp.db.database import database_of
from msil_mcp.identity.administering import administering
from msil_mcp.identity.passwords import generate_password
from msil_mcp.identity.preferences import Preferences
from msil_mcp.identity.users import (
    LastAdministrator,
    ProviderAccount,
    UserChange,
    UsernameTaken,
    UserNotFound,
    create_user,
    find_user,
    list_users,
    set_password,
    update_user,
)
from msil_mcp.identity.wiring import identity_of
from msil_mcp.pagination import Cursor, Limit, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require

router = APIRouter(prefix="/api/users", tags=["users"])
UserAdmin = Annotated[Principal, Depends(require("users:manage"))]
RoleName = Annotated[str, Field(max_length=64)]
Email = Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]


class UserView(BaseModel):
    """A user, without anything that could sign in as them; `issuer` knows whom it vouches for."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str
    display_name: str
    email: str | None
    roles: list[str]
    active: bool
    preferences: Preferences
    created_at: datetime
    last_login_at: datetime | None
    locked_until: datetime | None
    issuer: str | None


class UserBody(BaseModel):
    """A user to make; without a password one is generated and shown once."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")
    display_name: str = Field(min_length=1, max_length=200)
    email: Email | None = None
    roles: list[RoleName] = Field(default=["user"], max_length=32)
    preferences: Preferences = Field(default_factory=Preferences)
    password: SecretStr | None = Field(None, max_length=256)


class UserPatch(BaseModel):
    """What to change; what is absent stays."""

    model_config = ConfigDict(extra="forbid")

    display_name: str | None = Field(None, min_length=1, max_length=200)
    email: Email | None = None
    roles: list[RoleName] | None = Field(None, max_length=32)
    active: bool | None = None
    preferences: Preferences | None = None


class PasswordBody(BaseModel):
    """The password to set; absent, one is generated and shown once."""

    model_config = ConfigDict(extra="forbid")

    password: SecretStr | None = Field(None, max_length=256)

    def chosen(self) -> str:
        """The given password, or a fresh one."""
        return self.password.get_secret_value() if self.password else generate_password()


class UserWithPassword(BaseModel):
    """A user, and the password where this service made it up; it is shown only now."""

    user: UserView
    password: str | None


@router.get("")
async def read_users(
    _: UserAdmin, request: Request, limit: Limit = 50, cursor: Cursor = None
) -> Page[UserView]:
    """Users by id."""
    after = decode_cursor(cursor, tuple[int])[0] if cursor else 0
    async with database_of(request).reading() as session:
        found = await list_users(session, after=after, limit=limit)
    rows, following = page_of(found, limit=limit, key=lambda user: (user.id,))
    return Page(items=[UserView.model_validate(row) for row in rows], next_cursor=following)


@router.get("/{user_id}", responses={404: {"description": UserNotFound.title}})
async def read_user(user_id: int, _: UserAdmin, request: Request) -> UserView:
    """One user."""
    async with database_of(request).reading() as session:
        return UserView.model_validate(await find_user(session, user_id=user_id))


@router.post("", status_code=201, responses={409: {"description": UsernameTaken.title}})
async def add_user(body: UserBody, admin: UserAdmin, request: Request) -> UserWithPassword:
    """Make a user."""
    chosen = PasswordBody(password=body.password).chosen()
    encoded = await identity_of(request).passwords.hash(chosen)
    facts = body.model_dump(exclude={"password"})
    facts["preferences"] = body.preferences.chosen()
    async with administering(request, admin) as change:
        user = await create_user(change.session, **facts, password_hash=encoded, by=admin)
        change.record("user.created", f"user:{user.id}", username=user.username, roles=user.roles)
    shown = None if body.password else chosen
    return UserWithPassword(user=UserView.model_validate(user), password=shown)


@router.patch("/{user_id}", responses={409: {"description": LastAdministrator.title}})
async def change_user(
    user_id: int, body: UserPatch, admin: UserAdmin, request: Request
) -> UserView:
    """Change, disable or enable a user."""
    wanted = body.model_dump(exclude_none=True)
    async with administering(request, admin) as change:
        user = await update_user(
            change.session,
            user_id=user_id,
            change=UserChange(**wanted | {"preferences": body.preferences}),
            by=admin,
        )
        change.record("user.changed", f"user:{user.id}", **wanted)
    return UserView.model_validate(user)


@router.post(
    "/{user_id}/password",
    responses={
        404: {"description": UserNotFound.title},
        409: {"description": ProviderAccount.title},
    },
)
async def reset_password(
    user_id: int, body: PasswordBody, admin: UserAdmin, request: Request
) -> UserWithPassword:
    """Set a user's password, lift a lock, and end the user's sessions."""
    chosen = body.chosen()
    encoded = await identity_of(request).passwords.hash(chosen)
    async with administering(request, admin) as change:
        user = await set_password(change.session, user_id=user_id, password_hash=encoded, by=admin)
        change.record("user.password_reset", f"user:{user.id}")
    shown = None if body.password else chosen
    return UserWithPassword(user=UserView.model_validate(user), password=shown)
