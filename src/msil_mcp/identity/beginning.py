"""The beginning of a session, whichever way somebody signs in, and a record of how that went."""

import asyncio

import structlog
from starlette.requests import Request
from starlette.responses import Response

from msil_mcp.db.database import database_of, translated_errors
from msil_mcp.errors import MsilError
from msil_mcp.identity.administering import AdminAudit
from msil_mcp.identity.sessions import Way
from msil_mcp.identity.sign_in import SignInRefused, sign_in
from msil_mcp.identity.snapshot import UserRecord
from msil_mcp.identity.tables import User
from msil_mcp.identity.wiring import identity_of
from msil_mcp.principal import Principal

log = structlog.get_logger()
_recording: set[asyncio.Task[None]] = set()


async def proved_by_password(request: Request, *, username: str, password: str) -> User:
    """The user whose password this is; SignInRefused, which is on the record of a known account.

    The record is written while the refusal is on its way: waiting for it would tell by the time
    taken which accounts there are. How many there can be is bounded, since failures lock.
    """
    try:
        with translated_errors():
            return await sign_in(
                database_of(request),
                username=username,
                password=password,
                passwords=identity_of(request).passwords,
            )
    except SignInRefused as error:
        if error.user_id is not None:
            task = asyncio.create_task(_record_refusal(request, error.user_id))
            _recording.add(task)
            task.add_done_callback(_recording.discard)
        raise


async def _record_refusal(request: Request, user_id: int) -> None:
    audit: AdminAudit = request.app.state.admin_audit
    try:
        await audit(
            principal=None,
            action="session.refused",
            target=f"user:{user_id}",
            details={"way": "password"},
            correlation_id=request.scope.get("state", {}).get("correlation_id"),
            outcome="denied",
        )
    except MsilError as error:
        log.warning("sign_in_refusal_not_recorded", user_id=user_id, error=error.slug)


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
