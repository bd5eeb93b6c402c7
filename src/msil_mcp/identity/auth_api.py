"""/api/auth: sign in with a password, sign out, and who am I."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request
from starlette.responses import Response

from msil_mcp.db.database import database_of, translated_errors
from msil_mcp.errors import Conflict
from msil_mcp.identity.administering import administering
from msil_mcp.identity.sessions import CrossSiteRequest, end_session
from msil_mcp.identity.sign_in import SignInRefused, sign_in
from msil_mcp.identity.tables import User
from msil_mcp.identity.users import set_password
from msil_mcp.identity.wiring import identity_of
from msil_mcp.principal import Principal, public, require

router = APIRouter(prefix="/api/auth", tags=["auth"])
Caller = Annotated[Principal, Depends(require("profile:read"))]


class NoPassword(Conflict):
    """The caller is not a local user, so there is no password to change."""

    slug = "no_password"
    title = "No password"

    def __init__(self) -> None:
        super().__init__(
            "Only a signed-in local user has a password here. Sign in with it first, or change it "
            "at your identity provider."
        )


class Credentials(BaseModel):
    """A username and its password."""

    model_config = ConfigDict(extra="forbid")

    username: str = Field(max_length=64)
    password: SecretStr = Field(max_length=256)


class PasswordChange(BaseModel):
    """The present password, and the one to have."""

    model_config = ConfigDict(extra="forbid")

    current: SecretStr = Field(max_length=256)
    new: SecretStr = Field(max_length=256)


class SignedIn(BaseModel):
    """Whose session began."""

    id: str
    name: str


class Profile(BaseModel):
    """Who is calling, and what they may do."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    name: str
    roles: frozenset[str]
    permissions: frozenset[str]
    scopes: frozenset[str] | None
    expires_at: datetime | None
    attributes: dict[str, str]


@router.post("/login", dependencies=[public], responses={401: {"description": SignInRefused.title}})
async def login(body: Credentials, request: Request, response: Response) -> SignedIn:
    """Start a session: sets the session cookie."""
    identity, database = identity_of(request), database_of(request)
    if not identity.sessions.is_own_site(request.headers, default=True):
        raise CrossSiteRequest
    password = body.password.get_secret_value()
    with translated_errors():
        user = await sign_in(
            database, username=body.username, password=password, passwords=identity.passwords
        )
    identity.sessions.start(user, response)
    return SignedIn(id=f"user:{user.id}", name=user.display_name)


@router.post("/logout", status_code=204)
async def logout(caller: Caller, request: Request, response: Response) -> None:
    """End the session in every process and clear its cookie."""
    sessions = identity_of(request).sessions
    sessions.clear(response)
    if (cookie := sessions.present(request.headers)) is not None and caller.kind == "user":
        async with administering(request, caller) as change:
            await end_session(change.session, ended=sessions.open(cookie))
            change.record("session.ended", caller.id)


@router.get("/me")
async def me(caller: Caller) -> Profile:
    """The caller, as every route sees them."""
    return Profile.model_validate(caller)


@router.post("/password", status_code=204, responses={401: {"description": SignInRefused.title}})
async def change_password(
    body: PasswordChange, caller: Caller, request: Request, response: Response
) -> None:
    """Change one's own password; every other session of the account ends."""
    identity = identity_of(request)
    user = await _proved_user(caller, body.current.get_secret_value(), request)
    encoded = await identity.passwords.hash(body.new.get_secret_value())
    async with administering(request, caller) as change:
        user = await set_password(change.session, user_id=user.id, password_hash=encoded, by=caller)
        change.record("user.password_changed", caller.id)
    identity.sessions.start(user, response)


async def _proved_user(caller: Principal, password: str, request: Request) -> User:
    username = caller.attributes.get("username")
    if caller.kind != "user" or username is None:
        raise NoPassword
    passwords = identity_of(request).passwords
    return await sign_in(
        database_of(request), username=username, password=password, passwords=passwords
    )
