"""/api/auth: which ways to sign in there are, signing in, signing out, and who am I."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from starlette.requests import Request
from starlette.responses import Response

from msil_mcp.db.database import database_of, translated_errors
from msil_mcp.errors import Conflict
from msil_mcp.identity.administering import administering
from msil_mcp.identity.beginning import begin_session, proved_by_password
from msil_mcp.identity.oidc import START
from msil_mcp.identity.one_click import OneClickRefused
from msil_mcp.identity.preferences import Preferences
from msil_mcp.identity.sessions import CrossSiteRequest, end_session
from msil_mcp.identity.sign_in import SignInRefused, note_sign_in
from msil_mcp.identity.tables import User
from msil_mcp.identity.users import set_password, set_preferences
from msil_mcp.identity.wiring import identity_of
from msil_mcp.principal import Permission, Principal, public, require
from msil_mcp.problems import problems

router = APIRouter(prefix="/api/auth", tags=["auth"])
Caller = Annotated[Principal, Depends(require("profile:read"))]


class NoPassword(Conflict):
    """The caller is not a local user, so there is no password to change."""

    slug = "no_password"


class NoPreferences(Conflict):
    """The caller is not a person who signed in, and only their preferences are kept."""

    slug = "no_preferences"


class ProviderOption(BaseModel):
    """An identity provider: what to call it, and where the browser goes to sign in with it.

    `?next=` with a path of the web apps says where to come back to.
    """

    label: str
    start_url: str


class SignInOptions(BaseModel):
    """The ways to sign in that this server offers to this very client."""

    loopback: bool
    password: bool
    oidc: ProviderOption | None


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


class SignedOut(BaseModel):
    """The session is over; at `provider_url`, if any, the identity provider's can be ended too."""

    provider_url: str | None


class Profile(BaseModel):
    """Who is calling, and what they may do."""

    model_config = ConfigDict(from_attributes=True)

    id: str
    kind: str
    name: str
    roles: frozenset[str]
    permissions: frozenset[Permission]
    scopes: frozenset[str] | None
    expires_at: datetime | None
    attributes: dict[str, str]
    preferences: Preferences | None = Field(None, description="Null for keys and tokens.")


class ProfilePatch(BaseModel):
    """What to change of oneself; of the preferences what is absent stays, and null is unset."""

    model_config = ConfigDict(extra="forbid")

    preferences: Preferences


@router.get("/options", dependencies=[public])
async def read_options(request: Request, response: Response) -> SignInOptions:
    """Which ways to sign in there are."""
    identity = identity_of(request)
    snapshot = identity.authenticator.snapshot
    response.headers["Cache-Control"] = "no-store"
    return SignInOptions(
        loopback=identity.one_click.is_offered(request, snapshot),
        password=any(user.has_password for user in snapshot.users.values()),
        oidc=identity.oidc and ProviderOption(label=identity.oidc.label, start_url=START),
    )


@router.post("/login", dependencies=[public], responses={401: {"description": SignInRefused.title}})
async def login(body: Credentials, request: Request, response: Response) -> SignedIn:
    """Start a session: sets the session cookie."""
    if not identity_of(request).sessions.is_own_site(request.headers, default=True):
        raise CrossSiteRequest
    user = await proved_by_password(
        request, username=body.username, password=body.password.get_secret_value()
    )
    await begin_session(request, response, user=user, way="password")
    return SignedIn(id=f"user:{user.id}", name=user.display_name)


@router.post(
    "/loopback", dependencies=[public], responses={403: {"description": OneClickRefused.title}}
)
async def sign_in_here(request: Request, response: Response) -> SignedIn:
    """Start a session as the first administrator, with one click at the server's own machine."""
    identity, database = identity_of(request), database_of(request)
    user = identity.one_click.admit(request, identity.authenticator.snapshot)
    with translated_errors():
        await note_sign_in(database, user_id=user.id)
    await begin_session(request, response, user=user, way="loopback")
    return SignedIn(id=f"user:{user.id}", name=user.display_name)


@router.post("/logout")
async def logout(caller: Caller, request: Request, response: Response) -> SignedOut:
    """End the session in every process and clear its cookie."""
    identity = identity_of(request)
    sessions, provider_url = identity.sessions, None
    sessions.clear(response)
    if (cookie := sessions.present(request.headers)) is not None and caller.kind == "user":
        ended = sessions.open(cookie)
        async with administering(request, caller) as change:
            await end_session(change.session, ended=ended)
            change.record("session.ended", caller.id)
        if ended.way == "oidc" and identity.oidc is not None:
            provider_url = await identity.oidc.sign_out_url()
    return SignedOut(provider_url=provider_url)


@router.get("/me")
async def me(caller: Caller, request: Request) -> Profile:
    """The caller, as every route sees them."""
    profile, user_id = Profile.model_validate(caller), _user_id(caller)
    user = identity_of(request).authenticator.snapshot.users.get(user_id or 0)
    if user is not None:
        profile.preferences = Preferences.model_validate(user.preferences)
    return profile


@router.patch("/me", responses=problems(NoPreferences))
async def change_me(body: ProfilePatch, caller: Caller, request: Request) -> Profile:
    """Choose one's language, theme or time zone; every answer from the next on follows it."""
    user_id = _user_id(caller)
    if user_id is None:
        raise NoPreferences
    async with administering(request, caller) as change:
        user = await set_preferences(change.session, user_id=user_id, preferences=body.preferences)
        change.record("user.preferences_changed", caller.id, **user.preferences)
    profile = Profile.model_validate(caller)
    profile.preferences = Preferences.model_validate(user.preferences)
    return profile


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
    identity.sessions.start(user, response, way="password")


def _user_id(caller: Principal) -> int | None:
    return int(caller.id.removeprefix("user:")) if caller.kind == "user" else None


async def _proved_user(caller: Principal, password: str, request: Request) -> User:
    username = caller.attributes.get("username")
    if caller.kind != "user" or username is None or "issuer" in caller.attributes:
        raise NoPassword
    return await proved_by_password(request, username=username, password=password)
