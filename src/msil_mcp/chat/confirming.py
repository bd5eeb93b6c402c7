"""A person decides about a call in a conversation: agrees, changes it, or declines."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat import wire
from msil_mcp.chat.errors import RunLost
from msil_mcp.chat.live_runs import LiveRuns
from msil_mcp.chat.messages import change_content
from msil_mcp.chat.models import ChatMessage, ChatRun
from msil_mcp.chat.parts import ApprovalPart, ToolCallPart
from msil_mcp.chat.publishing import continued
from msil_mcp.chat.replaying import said_chunks
from msil_mcp.chat.sessions import Sessions
from msil_mcp.chat.speaking import spoken
from msil_mcp.chat.transcript import Transcript
from msil_mcp.chat.turn import TurnParts
from msil_mcp.chat.turn_errors import BadEdit
from msil_mcp.db.database import translated_errors, utc_now
from msil_mcp.errors import MsilError
from msil_mcp.governance.approvals import (
    Approval,
    Approvals,
    ApprovalUsed,
    UnknownApproval,
    answer,
)
from msil_mcp.locales import Language, Message
from msil_mcp.openapi.validation import InvalidArguments
from msil_mcp.principal import Principal
from msil_mcp.tools.call import ToolCall, ToolResult

Choice = Literal["approve", "edit", "decline"]
Decided = Callable[[Approval], Awaitable[None]]
SETTLING_SECONDS: Final = 5.0
LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a person said; `arguments` are those of an edit."""

    choice: Choice
    reason: str | None = None
    arguments: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A run that waits, and the call the approval is for."""

    run: ChatRun
    approval: Approval
    call: ToolCallPart
    part: ApprovalPart
    chosen: str | None

    def said_in(self, language: Language) -> Language:
        """The language of the conversation; `language` is the person's."""
        return spoken(self.chosen, otherwise=language)


@dataclass(frozen=True, slots=True)
class Confirmations:
    """Decisions in conversations; `decided` hears each, for the record."""

    parts: TurnParts
    runs: LiveRuns
    approvals: Approvals

    async def decide(
        self,
        principal: Principal,
        session_id: str,
        approval_id: str,
        decision: Decision,
        *,
        correlation_id: str,
        language: Language,
        decided: Decided,
    ) -> tuple[str, Approval]:
        """The run and the approval that stands now; the run goes on once all are decided."""
        asked = await self._asked(principal, session_id, approval_id)
        approval = asked.approval
        if decision.choice == "edit":
            if approval.standing != "pending":
                raise ApprovalUsed(approval.standing)
            approval = await self._edit(
                principal,
                asked,
                decision,
                correlation_id=correlation_id,
                language=language,
                decided=decided,
            )
            return asked.run.id, approval
        if approval.standing == "pending":
            approval = await self.approvals.decide(
                approval_id,
                principal=principal,
                accepted=decision.choice == "approve",
                via="chat",
                reason=decision.reason,
            )
            await decided(approval)
        elif (approval.standing == "approved") != (decision.choice == "approve"):
            raise ApprovalUsed(approval.standing)
        # Decided before, by another door or just before a death: the run only has to go on.
        if not await self._undecided(asked.run.id):
            await self.runs.resume(
                principal, asked.run.id, correlation_id=correlation_id, language=language
            )
        return asked.run.id, approval

    async def _asked(self, principal: Principal, session_id: str, approval_id: str) -> Asked:
        """The owner's own run and the call; UnknownApproval for anything else.

        A question is told before its run is stored as waiting, and may be answered in between.
        """
        patient_until = time.monotonic() + SETTLING_SECONDS
        while (asked := await self._waiting(principal, session_id, approval_id)) is None:
            if time.monotonic() > patient_until:
                raise ApprovalUsed("pending")
            await asyncio.sleep(LOOK_SECONDS)
        return asked

    async def _waiting(
        self, principal: Principal, session_id: str, approval_id: str
    ) -> Asked | None:
        """None while the run is still about to wait."""
        with translated_errors():
            async with self.parts.database.reading() as session:
                chat = await Sessions(session).owned_by(principal, session_id, lock=False)
            approval = await self.approvals.get(approval_id, principal=principal)
            if approval.session_id != session_id:
                raise UnknownApproval
            async with self.parts.database.reading() as session:
                run = await session.get(ChatRun, approval.run_id)
                if run is not None and run.state == "running" and approval.standing == "pending":
                    return None
                if run is None or run.state != "waiting_approval":
                    raise ApprovalUsed(approval.standing)
                found = await _waiting_call(session, run, approval_id)
        if found is None:
            raise ApprovalUsed(approval.standing)
        return Asked(run, approval, *found, chat.language)

    async def _undecided(self, run_id: str) -> bool:
        query = select(Approval.id).where(
            Approval.run_id == run_id,
            Approval.state == "pending",
            Approval.expires_at > utc_now(),
        )
        async with self.parts.database.reading() as session:
            return (await session.scalars(query.limit(1))).one_or_none() is not None

    async def _edit(
        self,
        principal: Principal,
        asked: Asked,
        decision: Decision,
        *,
        correlation_id: str,
        language: Language,
        decided: Decided,
    ) -> Approval:
        """Ask anew with the arguments the person wants; they see that exact request first."""
        wanted = dict(decision.arguments or {})
        versions = (await self.parts.tables.of(principal)).versions
        version = versions.get(asked.call.tool)
        if version is None:
            raise BadEdit(case="tool_gone")
        call = ToolCall(
            principal=principal,
            tool=version,
            arguments=wanted,
            origin="chat",
            correlation_id=correlation_id,
            deadline=time.monotonic() + self.parts.settings.call_timeout_seconds,
            session_id=asked.run.session_id,
            run_id=asked.run.id,
            message_id=asked.run.assistant_message_id,
        )
        result = await self.parts.invoker.invoke(call)
        confirmation = result.confirmation
        if confirmation is None:
            raise BadEdit(problem=_problem(call, result))
        if confirmation.approval_id != asked.part.approval_id:
            reason = Message("approval.reasons.edited").told(asked.said_in(language))
            try:
                old = await self._replace(
                    principal, asked, wanted, confirmation.approval_id, reason=reason
                )
            except MsilError:
                # The run has ended, or goes on with what somebody has decided meanwhile.
                await self._take_back(principal, asked, confirmation.approval_id, reason=reason)
                raise
            self.approvals.on_event("denied")
            await decided(old)
            said_in = asked.said_in(language)
            chunks = wire.approval_request(asked.call.call_id, confirmation, language=said_in)
            await self._show(asked.run, chunks, language=said_in)
        return await self.approvals.get(confirmation.approval_id, principal=principal)

    async def _replace(
        self,
        principal: Principal,
        asked: Asked,
        arguments: dict[str, Any],
        approval_id: str,
        *,
        reason: str,
    ) -> Approval:
        """The call is the changed one from here on, and what was asked before is declined."""
        with translated_errors():
            async with self.parts.database.unit_of_work() as session:
                run = await session.get_one(ChatRun, asked.run.id, with_for_update=True)
                if run.state != "waiting_approval" or run.assistant_message_id is None:
                    raise RunLost
                old = await answer(
                    session,
                    asked.part.approval_id,
                    principal=principal,
                    accepted=False,
                    via="chat",
                    reason=reason,
                )
                message = await session.get_one(ChatMessage, run.assistant_message_id)
                transcript = Transcript(message.parts)
                transcript.change_call(
                    asked.call.call_id, arguments=arguments, approval_id=approval_id
                )
                await change_content(session, message.id, parts=transcript.parts, status="partial")
        return old

    async def _take_back(
        self, principal: Principal, asked: Asked, approval_id: str, *, reason: str
    ) -> None:
        """Decline what no call waits for; the run would wait for it all the same."""
        with translated_errors():
            async with self.parts.database.unit_of_work() as session:
                run = await session.get_one(ChatRun, asked.run.id, with_for_update=True)
                if await _waiting_call(session, run, approval_id) is None:
                    await answer(
                        session,
                        approval_id,
                        principal=principal,
                        accepted=False,
                        via="chat",
                        reason=reason,
                    )

    async def _show(self, run: ChatRun, chunks: list[str], *, language: Language) -> None:
        async with self.parts.database.reading() as session:
            so_far = await said_chunks(session, run, language=language)
        publisher = await continued(self.parts.bus, run.id, so_far=so_far)
        for encoded in chunks:
            publisher.add(encoded)
        await publisher.flush()


def _problem(call: ToolCall, result: ToolResult) -> Message:
    """Why a changed call is not asked about; results themselves are told in English."""
    if result.error == InvalidArguments.slug:
        try:
            call.tool.validator.validate(call.arguments)
        except InvalidArguments as error:
            return error.message
    return Message("verbatim", text=result.text)


async def _waiting_call(
    session: AsyncSession, run: ChatRun, approval_id: str
) -> tuple[ToolCallPart, ApprovalPart] | None:
    if run.assistant_message_id is None:
        return None
    message = await session.get_one(ChatMessage, run.assistant_message_id)
    waiting = Transcript(message.parts).waiting()
    return next(((call, part) for call, part in waiting if part.approval_id == approval_id), None)
