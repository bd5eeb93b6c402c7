"""Requests for agreement as people look through them: filtered, counted, and in full."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.db.database import Database, UtcDateTime, translated_errors, utc_now
from msil_mcp.errors import MsilError
from msil_mcp.governance.approvals import OPEN, Approval, ApprovalState
from msil_mcp.openapi.definitions import ToolDefinition
from msil_mcp.openapi.request import RequestBuilder
from msil_mcp.principal import Principal
from msil_mcp.tools.call import Origin
from msil_mcp.tools.models import ToolVersionRow


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxFilters:
    """Which requests; every given condition must hold.

    `search` is looked for in what is asked, the tool and the requester's name.
    """

    state: ApprovalState | None = None
    tool: str | None = None
    requester: str | None = None
    origin: Origin | None = None
    search: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many requests there are in each state, and since when the oldest waits."""

    states: Mapping[str, int]
    oldest_at: datetime | None


@dataclass(frozen=True, slots=True)
class ExactRequest:
    """The HTTP request an approval stands for, built of the masked arguments."""

    method: str
    url: str
    content_type: str | None
    body: str | None


class Inbox:
    """Over one session: everybody's requests for who has approvals:read, one's own for the rest."""

    def __init__(self, session: AsyncSession, *, principal: Principal) -> None:
        self._session = session
        self._own: list[ColumnElement[bool]] = []
        if not principal.may("approvals:read"):
            self._own = [Approval.principal_id == principal.id]

    async def page(
        self, wanted: InboxFilters, *, before: tuple[datetime, str] | None, limit: int
    ) -> Sequence[Approval]:
        """Newest first, after the (time, id) `before`; one more than `limit`."""
        query = (
            select(Approval)
            .where(*self._own, *_conditions(wanted))
            .order_by(Approval.created_at.desc(), Approval.id.desc())
        )
        if before is not None:
            time, last = before
            same_time = and_(Approval.created_at == time, Approval.id < last)
            query = query.where(or_(Approval.created_at < time, same_time))
        return (await self._session.scalars(query.limit(limit + 1))).all()

    async def count(self, wanted: InboxFilters) -> Counted:
        """How many of those that match are in each state now; the filter's own state is let go."""
        late = and_(Approval.state.in_(OPEN), Approval.expires_at <= utc_now())
        query = (
            select(
                Approval.state,
                late,
                func.count(),
                func.min(Approval.created_at, type_=UtcDateTime()),
            )
            .where(*self._own, *_conditions(wanted, with_state=False))
            .group_by(Approval.state, late)
        )
        states: dict[str, int] = {}
        oldest = None
        for state, has_expired, count, first in await self._session.execute(query):
            now = "expired" if has_expired else state
            states[now] = states.get(now, 0) + count
            if now == "pending":
                oldest = first
        return Counted(states, oldest)

    async def waiting(self) -> int:
        """How many wait for a person."""
        query = select(func.count()).where(
            *self._own, Approval.state == "pending", Approval.expires_at > utc_now()
        )
        return (await self._session.execute(query)).scalar_one()


def waiting_for(database: Database) -> Callable[[Principal], Awaitable[int]]:
    """`app.state.count_waiting`: how many requests wait that a caller may look at."""

    async def count(principal: Principal) -> int:
        with translated_errors():
            async with database.reading() as session:
                return await Inbox(session, principal=principal).waiting()

    return count


async def exact_request(session: AsyncSession, approval: Approval) -> ExactRequest:
    """What would be sent, with the personal data in it masked."""
    row = await session.get(ToolVersionRow, approval.tool_version_id)
    plain = ExactRequest(approval.method, approval.url, None, None)
    if row is None:
        return plain
    definition = msgspec.json.decode(row.definition, type=ToolDefinition)
    try:
        made = RequestBuilder(definition.request, row.base_url).build(approval.arguments)
    except MsilError:
        return plain  # masked values may be of a kind that cannot be encoded
    headers = {name.lower(): value for name, value in made.headers}
    body = None if made.body is None else made.body.decode(errors="replace")
    return ExactRequest(approval.method, approval.url, headers.get("content-type"), body)


def _conditions(wanted: InboxFilters, *, with_state: bool = True) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if with_state and wanted.state is not None:
        found += _in_state(wanted.state)
    equal: Mapping[Any, str | None] = {
        Approval.tool_name: wanted.tool,
        Approval.principal_id: wanted.requester,
        Approval.origin: wanted.origin,
    }
    found += [column == value for column, value in equal.items() if value is not None]
    if wanted.since is not None:
        found.append(Approval.created_at >= wanted.since)
    if wanted.until is not None:
        found.append(Approval.created_at < wanted.until)
    for word in (wanted.search or "").replace("\x00", " ").split():
        found.append(
            or_(
                *(
                    column.icontains(word, autoescape=True)
                    for column in (Approval.title, Approval.tool_name, Approval.principal_name)
                )
            )
        )
    return found


def _in_state(state: ApprovalState) -> list[ColumnElement[bool]]:
    if state == "expired":
        late = and_(Approval.state.in_(OPEN), Approval.expires_at <= utc_now())
        return [or_(Approval.state == "expired", late)]
    found: list[ColumnElement[bool]] = [Approval.state == state]
    if state in OPEN:
        found.append(Approval.expires_at > utc_now())
    return found
