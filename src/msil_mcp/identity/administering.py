"""An administrative change: one transaction, then its audit record, then the news of it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple, Protocol

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request

from msil_mcp.db.database import database_of, translated_errors
from msil_mcp.principal import Principal

Announce = Callable[[], Awaitable[None]]
"""`app.state.announce`: tells every process that the generation was raised; after the commit."""


class AdminAudit(Protocol):
    """`app.state.admin_audit`: keeps a record of an administrative change.

    Without a principal nobody knows who it was; `denied` is what was tried and not done.
    """

    async def __call__(
        self,
        *,
        principal: Principal | None,
        action: str,
        target: str,
        details: Mapping[str, Any],
        correlation_id: str | None,
        outcome: Literal["succeeded", "denied"] = "succeeded",
    ) -> None:
        """Returns once the record is durable."""
        ...


class _Entry(NamedTuple):
    action: str
    target: str
    details: Mapping[str, Any]


class Administration:
    """A change under way; what it records is written once it is committed."""

    def __init__(self, session: AsyncSession, principal: Principal) -> None:
        self.session = session
        self.principal = principal
        self.entries: list[_Entry] = []

    def record(self, action: str, target: str, /, **details: Any) -> None:
        """Say what is being done, to what, with JSON details that hold no secret."""
        self.entries.append(_Entry(action, target, details))


@asynccontextmanager
async def administering(request: Request, principal: Principal) -> AsyncIterator[Administration]:
    """Commit, record, announce.

    The record follows the commit, because on SQLite the audit writer waits for this transaction
    to end. When it cannot be written the caller hears so, and the news still goes out.
    """
    with translated_errors():
        async with database_of(request).unit_of_work() as session:
            change = Administration(session, principal)
            yield change
    await _conclude(request, change)


async def _conclude(request: Request, change: Administration) -> None:
    audit: AdminAudit = request.app.state.admin_audit
    announce: Announce = request.app.state.announce
    correlation_id = request.scope.get("state", {}).get("correlation_id")
    try:
        for entry in change.entries:
            await audit(
                principal=change.principal,
                action=entry.action,
                target=entry.target,
                details=entry.details,
                correlation_id=correlation_id,
            )
    finally:
        await announce()
