"""The beginning of a session, whichever way somebody signed in: the cookie, and a record of it."""

from starlette.requests import Request
from starlette.responses import Response

from msil_mcp.identity.administering import AdminAudit
from msil_mcp.identity.sessions import Way
from msil_mcp.identity.snapshot import UserRecord
from msil_mcp.identity.tables import User
from msil_mcp.identity.wiring import identity_of
from msil_mcp.principal import Principal


async def begin_session(
    request: Request, response: Response, *, user: User | UserRecord, way: Way
) -> None:
    """Once the record is durable the cookie is set; without the one there is not the other."""
    audit: AdminAudit = request.app.state.admin_audit
    await audit(
        principal=Principal(
            id=f"user:{user.id}",
            kind="user",
            name=user.display_name,
            roles=frozenset(user.roles),
            permissions=frozenset(),
        ),
        action="session.started",
        target=f"user:{user.id}",
        details={"way": way},
        correlation_id=request.scope.get("state", {}).get("correlation_id"),
    )
    identity_of(request).sessions.start(user, response, way=way)
    # A shared cache on the way must not hand one person's session to the next.
    response.headers["Cache-Control"] = "no-store"
