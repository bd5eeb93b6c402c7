"""/api/auth/oidc: to the identity provider and back, in the browser's address bar.

Whoever comes here is a person with a browser, not a program: what goes wrong is told by the page
they began at, which gets `?sign_in_error=<slug>&correlation_id=<id>`.
"""

from collections.abc import Awaitable
from typing import Annotated
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse

from msil_mcp.db.database import database_of, translated_errors
from msil_mcp.errors import MsilError
from msil_mcp.identity.administering import administering
from msil_mcp.identity.attempts import Attempt, use_up
from msil_mcp.identity.beginning import begin_session
from msil_mcp.identity.oidc import (
    APPS,
    BadDestination,
    OidcNotConfigured,
    OidcSignIn,
    checked_destination,
    oidc_of,
)
from msil_mcp.identity.people import Person, admit
from msil_mcp.identity.tables import User
from msil_mcp.principal import Principal, public

log = structlog.get_logger()
router = APIRouter(prefix="/api/auth/oidc", tags=["auth"])


@router.get(
    "/start",
    dependencies=[public],
    status_code=303,
    response_class=RedirectResponse,
    responses={
        400: {"description": BadDestination.title},
        404: {"description": OidcNotConfigured.title},
    },
)
async def start_sign_in(
    request: Request,
    following: Annotated[
        str, Query(alias="next", description="Where to go afterwards, in one of the web apps.")
    ] = "/chat",
) -> RedirectResponse:
    """Leave for the identity provider."""
    oidc, destination = oidc_of(request), checked_destination(following)
    return await _in_browser(request, _leave(request, oidc, destination), page=destination)


@router.get(
    "/callback",
    dependencies=[public],
    status_code=303,
    response_class=RedirectResponse,
    responses={404: {"description": OidcNotConfigured.title}},
)
async def finish_sign_in(request: Request) -> RedirectResponse:
    """Come back from the identity provider, with a session or with the reason why not."""
    oidc = oidc_of(request)
    answer = dict(request.query_params)
    try:
        attempt = oidc.attempts.find(request.headers, state=answer.get("state", ""))
    except MsilError as error:
        return _refused(request, error, page=APPS[0])
    response = await _in_browser(
        request, _enter(request, oidc, attempt, answer), page=attempt.following
    )
    others = [each for each in oidc.attempts.under_way(request.headers) if each != attempt]
    oidc.attempts.remember(others, response)
    return response


async def _leave(request: Request, oidc: OidcSignIn, destination: str) -> RedirectResponse:
    url, attempt = await oidc.leave(following=destination)
    response = RedirectResponse(url, 303)
    oidc.attempts.remember([attempt, *oidc.attempts.under_way(request.headers)], response)
    return response


async def _enter(
    request: Request, oidc: OidcSignIn, attempt: Attempt, answer: dict[str, str]
) -> RedirectResponse:
    with translated_errors():
        await use_up(database_of(request), attempt)
    person = await oidc.come_back(answer, attempt=attempt)
    user = await _admit(request, oidc, person)
    response = RedirectResponse(attempt.following, 303)
    await begin_session(request, response, user=user, way="oidc")
    return response


async def _admit(request: Request, oidc: OidcSignIn, person: Person) -> User:
    """The person's account; what the provider changes about it is recorded as its doing."""
    provider = Principal(
        id=f"oidc:{person.issuer}",
        kind="system",
        name=oidc.label,
        roles=frozenset(),
        permissions=frozenset(),
    )
    async with administering(request, provider) as change:
        admitted = await admit(change.session, person, default_role=oidc.default_role)
        user, target = admitted.user, f"user:{admitted.user.id}"
        if admitted.made:
            facts = {"username": user.username, "roles": user.roles, "subject": person.subject}
            change.record("user.created", target, **facts)
        elif admitted.changes:
            change.record("user.changed", target, **admitted.changes)
    return user


async def _in_browser(
    request: Request, work: Awaitable[RedirectResponse], *, page: str
) -> RedirectResponse:
    """The work's redirect, or one that tells the page what went wrong."""
    try:
        response = await work
    except MsilError as error:
        response = _refused(request, error, page=page)
    response.headers["Cache-Control"] = "no-store"
    return response


def _refused(request: Request, error: MsilError, *, page: str) -> RedirectResponse:
    log.warning("sign_in_refused", way="oidc", reason=error.slug, detail=str(error))
    app = next((app for app in APPS if page.startswith(app)), APPS[0])
    told = {"sign_in_error": error.slug}
    if correlation_id := request.scope.get("state", {}).get("correlation_id"):
        told["correlation_id"] = correlation_id
    return RedirectResponse(f"{app}?{urlencode(told)}", 303)
