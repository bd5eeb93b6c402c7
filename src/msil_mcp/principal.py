"""Who is calling, and the one way a REST route says what the caller must be allowed to do."""

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, Protocol, get_args

from fastapi import Depends
from starlette.requests import HTTPConnection
from typing_extensions import override

from msil_mcp.errors import Forbidden

Permission = Literal[
    "tools:read",
    "tools:write",
    "approvals:read",
    "approvals:decide",
    "audit:read",
    "audit:export",
    "analytics:read",
    "keys:manage",
    "users:manage",
    "roles:manage",
    "policies:manage",
    "settings:read",
    "chat:use",
    "chat:read_all",
    "chat:export",
    "usage:read_all",
    "webhooks:manage",
    "profile:read",
]

BUILTIN_ROLES: Final[Mapping[str, frozenset[Permission]]] = {
    "administrator": frozenset(get_args(Permission)),
    "integrator": frozenset(
        {"tools:read", "tools:write", "analytics:read", "profile:read", "chat:use"}
    ),
    "auditor": frozenset(
        {
            "tools:read",
            "approvals:read",
            "audit:read",
            "audit:export",
            "analytics:read",
            "profile:read",
        }
    ),
    "operator": frozenset(
        {
            "tools:read",
            "approvals:read",
            "analytics:read",
            "settings:read",
            "webhooks:manage",
            "profile:read",
        }
    ),
    "user": frozenset({"tools:read", "chat:use", "profile:read"}),
}
"""What each shipped role may do over REST; which tools it may see is its exposure."""


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller; equal principals are the same caller with the same rights.

    `id` is stable over renames (`user:7`, `key:3`, `oidc:<issuer>#<subject>`, `system:cli`).
    `scopes` of None leaves the roles' grants whole; otherwise it narrows tools to `tool:NAME`,
    `bundle:NAME` or `tools` for all.
    """

    id: str
    kind: Literal["user", "key", "token", "system"]
    name: str
    roles: frozenset[str]
    permissions: frozenset[str]
    scopes: frozenset[str] | None = None
    expires_at: datetime | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False, compare=False)

    def may(self, permission: Permission) -> bool:
        """Whether a REST route that requires this permission is open to the caller."""
        return permission in self.permissions


class Authenticator(Protocol):
    """Turns the credential in request headers into a Principal.

    Raises Unauthenticated for a missing or bad credential and Unavailable when it cannot tell.
    """

    async def authenticate(self, headers: Mapping[str, str], /) -> Principal:
        """The caller these headers prove."""
        ...


class PermissionDenied(Forbidden):
    """The caller's roles do not carry the permission."""

    slug = "permission_denied"

    def __init__(self, permission: Permission) -> None:
        super().__init__(permission=permission)
        self.permission = permission

    @property
    @override
    def facts(self) -> Mapping[str, Any]:
        return {"permission": self.permission}


RouteGuard = Callable[[HTTPConnection], Coroutine[Any, Any, Principal | None]]

ROUTE_PERMISSION: Final = "msil_permission"
"""Attribute of a guard that names its permission; a test reads it from every route."""


def require(permission: Permission) -> RouteGuard:
    """A dependency that authenticates the caller and insists on one permission.

    Use as `principal: Annotated[Principal, Depends(require("audit:read"))]`, on a WebSocket too:
    there a refusal answers the handshake.
    """

    async def guard(connection: HTTPConnection) -> Principal:
        authenticator: Authenticator = connection.app.state.authenticator
        principal = await authenticator.authenticate(connection.headers)
        state = connection.scope.setdefault("state", {})
        state["principal"], state["locale"] = principal, principal.attributes.get("locale")
        if not principal.may(permission):
            raise PermissionDenied(permission)
        return principal

    setattr(guard, ROUTE_PERMISSION, permission)
    return guard


async def _anyone(connection: HTTPConnection) -> None:
    """Open on purpose: liveness, readiness, sign-in and OAuth metadata."""


setattr(_anyone, ROUTE_PERMISSION, "public")
public: Final = Depends(_anyone)
"""Declares a route open to everybody, so that openness is a decision one can search for."""
