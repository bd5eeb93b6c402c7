"""Approvals: a person agrees to exactly one call.

An approval is bound to the caller, the version of the tool and the hash of its arguments. It is
used once, in the transaction that inserts the call's intent. What is shown of it is masked.
"""

import re
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import JSON, Index, String, Text, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from msil_mcp.db.database import Base, Database, UtcDateTime, translated_errors, utc_now
from msil_mcp.errors import Conflict, Forbidden, NotFound
from msil_mcp.governance.masks import ToolMasks
from msil_mcp.locales import Message
from msil_mcp.observability.metrics import ApprovalEvent
from msil_mcp.principal import Principal
from msil_mcp.settings import Settings
from msil_mcp.tools.call import Confirmation, ToolCall

Via = Literal["elicitation", "chat", "rest", "cli"]
OPEN: Final = ("pending", "approved")
IDENTITY: Final = re.compile(r"[A-Za-z0-9_-]{1,40}")
ApprovalState = Literal["pending", "approved", "declined", "consumed", "expired"]


class Approval(Base):
    """A request for a person's agreement, and what became of it."""

    __tablename__ = "approvals"
    __table_args__ = (
        Index(None, "state", "created_at"),
        Index(None, "principal_id", "tool_hash", "arguments_hash"),
    )

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    state: Mapped[str] = mapped_column(String(20), default="pending")
    principal_id: Mapped[str] = mapped_column(String(500))
    principal_name: Mapped[str] = mapped_column(String(500))
    tool_name: Mapped[str] = mapped_column(String(64))
    tool_version_id: Mapped[int]
    tool_hash: Mapped[str] = mapped_column(String(64))
    arguments_hash: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    arguments: Mapped[dict[str, Any]] = mapped_column(JSON)
    method: Mapped[str] = mapped_column(String(10))
    url: Mapped[str] = mapped_column(Text)
    origin: Mapped[str] = mapped_column(String(10))
    session_id: Mapped[str | None] = mapped_column(String(40))
    run_id: Mapped[str | None] = mapped_column(String(40))
    correlation_id: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[str | None] = mapped_column(String(500))
    decided_via: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(Text)
    execution_id: Mapped[str | None] = mapped_column(String(40))

    @property
    def request(self) -> Message:
        """What is asked, in one sentence."""
        return Message("approval.request", title=self.title, person=self.principal_name)

    @property
    def standing(self) -> str:
        """The state as it is now: what was not used in time has expired."""
        late = self.state in OPEN and self.expires_at <= utc_now()
        return "expired" if late else self.state


class UnknownApproval(NotFound):
    """No such approval, or none the caller may see."""

    slug = "unknown_approval"


class ApprovalUsed(Conflict):
    """The approval is not open to be decided or used any more."""

    slug = "approval_not_open"

    def __init__(self, state: str) -> None:
        super().__init__(state=Message(f"approval.states.{state}"))
        self.state = state


class ApprovalMismatch(Conflict):
    """The approval was given for something else."""

    slug = "approval_mismatch"


class ApprovalDeclined(Forbidden):
    """A person said no."""

    slug = "approval_declined"

    def __init__(self, reason: str | None) -> None:
        if reason:
            super().__init__(case="with_reason", reason=reason)
        else:
            super().__init__()


class SelfApproval(Forbidden):
    """A program may not approve what it asked for itself."""

    slug = "self_approval"


async def count_waiting(session: AsyncSession) -> int:
    """Approvals that a person can still decide."""
    query = select(func.count()).where(Approval.state == "pending", Approval.expires_at > utc_now())
    return (await session.execute(query)).scalar_one()


def _not_counted(_event: ApprovalEvent) -> None:
    pass


class Approvals:
    """Asks, decides, finds; `on_event` hears what becomes of approvals."""

    def __init__(
        self,
        *,
        database: Database,
        settings: Settings,
        on_event: Callable[[ApprovalEvent], None] = _not_counted,
    ) -> None:
        self._database = database
        self.on_event = on_event
        self._ttl = timedelta(seconds=settings.approval_ttl_seconds)
        self._base_url = settings.base_url

    async def usable(self, call: ToolCall) -> Approval | None:
        """The approval for exactly this call: an answered one, else the newest that waits.

        What a run asks is its own: people decide about it where they see it. With
        `call.approval_id`, that one: UnknownApproval or ApprovalMismatch if it does not fit.
        """
        async with self._reading() as session:
            if call.approval_id is not None:
                approval = await _found(session, call.approval_id)
                self._check_binding(approval, call=call)
                return approval
            query = (
                select(Approval)
                .where(
                    Approval.principal_id == call.principal.id,
                    Approval.tool_hash == call.tool.hash,
                    Approval.arguments_hash == call.arguments_hash,
                    Approval.run_id.is_not_distinct_from(call.run_id),
                    Approval.state.in_(OPEN),
                    Approval.expires_at > utc_now(),
                )
                # Of equal requests one may be answered and the other not: the answer counts.
                .order_by(Approval.state, Approval.created_at.desc())
                .limit(1)
            )
            return await session.scalar(query)

    @staticmethod
    def _check_binding(approval: Approval, *, call: ToolCall) -> None:
        bound = (approval.principal_id, approval.tool_hash, approval.arguments_hash)
        if bound != (call.principal.id, call.tool.hash, call.arguments_hash):
            raise ApprovalMismatch

    async def ask(self, call: ToolCall) -> Approval:
        """Store a new request for this call."""
        definition = call.tool.definition
        masks = ToolMasks.of(definition)
        masked = masks.arguments.mask(call.arguments)
        request = call.tool.builder.build(call.arguments)
        now = utc_now()
        approval = Approval(
            id=f"ap_{secrets.token_hex(12)}",  # never like an option of a command
            state="pending",
            principal_id=call.principal.id,
            principal_name=call.principal.name,
            tool_name=call.tool.name,
            tool_version_id=call.tool.id,
            tool_hash=call.tool.hash,
            arguments_hash=call.arguments_hash,
            title=definition.title or call.tool.name,
            arguments=masked,
            method=request.method,
            # Built anew: in an encoded URL personal data cannot be told any more.
            url=call.tool.builder.build(masked).url,
            origin=call.origin,
            session_id=call.session_id,
            run_id=call.run_id,
            correlation_id=call.correlation_id,
            created_at=now,
            expires_at=now + self._ttl,
        )
        async with self._changing() as session:
            session.add(approval)
        self.on_event("requested")
        return approval

    def confirmation(self, approval: Approval) -> Confirmation:
        """What the door shows a person."""
        return Confirmation(
            approval_id=approval.id,
            tool=approval.tool_name,
            request=approval.request,
            arguments=approval.arguments,
            method=approval.method,
            url=approval.url,
            expires_at=approval.expires_at,
            page=f"{self._base_url}/admin/approvals/{approval.id}",
        )

    async def decide(
        self,
        approval_id: str,
        *,
        principal: Principal,
        accepted: bool,
        via: Via,
        reason: str | None = None,
    ) -> Approval:
        """Record a person's answer.

        Through elicitation, chat and the command line the caller may answer for itself, since a
        person sits there; by REST only who signed in. For others' calls it takes approvals:decide.
        """
        async with self._changing() as session:
            approval = await answer(
                session,
                approval_id,
                principal=principal,
                accepted=accepted,
                via=via,
                reason=reason,
            )
        self.on_event("approved" if accepted else "denied")
        return approval

    async def get(self, approval_id: str, *, principal: Principal) -> Approval:
        """One approval the caller may see."""
        async with self._reading() as session:
            approval = await _found(session, approval_id)
        if approval.principal_id != principal.id and not principal.may("approvals:read"):
            raise UnknownApproval
        return approval

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        with translated_errors():
            async with self._database.reading() as session:
                yield session

    @asynccontextmanager
    async def _changing(self) -> AsyncIterator[AsyncSession]:
        with translated_errors():
            async with self._database.unit_of_work() as session:
                yield session


async def _found(session: AsyncSession, approval_id: str, *, for_update: bool = False) -> Approval:
    """The row; UnknownApproval also for what cannot be an id, which a database may choke on."""
    if not IDENTITY.fullmatch(approval_id):
        raise UnknownApproval
    approval = await session.get(Approval, approval_id, with_for_update=for_update or None)
    if approval is None:
        raise UnknownApproval
    return approval


async def answer(
    session: AsyncSession,
    approval_id: str,
    *,
    principal: Principal,
    accepted: bool,
    via: Via,
    reason: str | None,
) -> Approval:
    """Record a person's answer in the caller's transaction; ApprovalUsed if there is one."""
    approval = await _found(session, approval_id, for_update=True)
    if not _may_decide(approval, principal=principal, via=via):
        raise UnknownApproval
    if approval.principal_id == principal.id and not _in_person(principal, via=via):
        raise SelfApproval
    if approval.standing != "pending":
        raise ApprovalUsed(approval.standing)
    approval.state = "approved" if accepted else "declined"
    approval.decided_at = utc_now()
    approval.decided_by = principal.id
    approval.decided_via = via
    approval.reason = reason
    return approval


def _may_decide(approval: Approval, *, principal: Principal, via: Via) -> bool:
    if approval.principal_id == principal.id:
        return True
    return via in {"rest", "cli"} and principal.may("approvals:decide")


def may_answer(approval: Approval, *, principal: Principal) -> bool:
    """Whether `decide` by REST would take this caller's answer now."""
    if approval.standing != "pending" or not _may_decide(approval, principal=principal, via="rest"):
        return False
    return approval.principal_id != principal.id or _in_person(principal, via="rest")


def _in_person(principal: Principal, *, via: Via) -> bool:
    return via in {"elicitation", "chat", "cli"} or principal.kind == "user"


async def consume(session: AsyncSession, approval_id: str, *, execution_id: str) -> None:
    """Use an approval up, in the transaction of the intent; ApprovalUsed if it is not open."""
    used = await session.execute(
        update(Approval)
        .where(Approval.id == approval_id, Approval.state == "approved")
        .where(Approval.expires_at > utc_now())
        .values(state="consumed", execution_id=execution_id)
        .returning(Approval.id)
    )
    if used.scalar_one_or_none() is None:
        raise ApprovalUsed("closed")


def shown(approval: Approval) -> Mapping[str, Any]:
    """An approval for the audit: who asked for what, and who answered."""
    return {
        "tool": approval.tool_name,
        "requested_by": approval.principal_id,
        "state": approval.state,
        "via": approval.decided_via,
        "reason": approval.reason,
    }
