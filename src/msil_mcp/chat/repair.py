"""What is left behind by a run that ended without its owner: every call gets a result.

A call whose execution ended is answered by it, and one that was never sent by that; of any other
it is said that nobody knows.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
from sqlalchemy import Select, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.chat.calling import OUTCOMES
from msil_mcp.chat.context import INTERRUPTED
from msil_mcp.chat.messages import revise
from msil_mcp.chat.models import ChatMessage, ChatRun
from msil_mcp.chat.overheard import mended
from msil_mcp.chat.parts import ToolCallPart, ToolResultPart
from msil_mcp.chat.transcript import Transcript
from msil_mcp.db.database import utc_now
from msil_mcp.governance.approvals import OPEN, Approval
from msil_mcp.governance.executions import ToolExecution, abandon

UNANSWERED: Final = ("pending", "expired")
GRACE: Final = timedelta(seconds=60)
ACT_WITHIN: Final = timedelta(seconds=8)
"""A decision is acted on at once where the process that asked lives, and hears of it."""
INTERRUPTED_RUN: Final = "run_interrupted"
NOT_SENT: Final = "Nothing was done: the answer was interrupted before this call was sent."
NOT_DONE: Final = "Nothing was done: the answer was stopped before a person agreed."


async def repair(session: AsyncSession, run: ChatRun, *, texts: Sequence[str] = ()) -> None:
    """Complete the message of a run that has ended, also by texts it has said; end its calls."""
    executions = await abandon(
        session, session_id=run.session_id, run_id=run.id, error=INTERRUPTED_RUN
    )
    if run.assistant_message_id is None:
        return
    message = await session.get(ChatMessage, run.assistant_message_id, with_for_update=True)
    if message is None:
        return
    transcript = Transcript(message.parts)
    open_calls = transcript.unanswered()
    asked = {call.call_id: approval.approval_id for call, approval in transcript.waiting()}
    for call in open_calls:
        transcript.add(_result(call, asked.get(call.call_id), executions))
    whole = mended(transcript.parts, texts)
    if whole != message.parts:
        revise(message, whole)
        await session.flush()


def _result(
    call: ToolCallPart, approval_id: str | None, executions: list[ToolExecution]
) -> ToolResultPart:
    found = next((row for row in executions if _is_of(row, call, approval_id)), None)
    if found is not None:
        executions.remove(found)
        outcome = OUTCOMES.get(found.state)
        if outcome is not None and found.result is not None:
            return ToolResultPart(
                call_id=call.call_id, tool=call.tool, outcome=outcome, execution_id=found.id
            )
        if found.state == "failed" and found.error == INTERRUPTED_RUN:
            return ToolResultPart(
                call_id=call.call_id, tool=call.tool, outcome="failed", text=NOT_SENT
            )
    elif approval_id is not None:
        return ToolResultPart(call_id=call.call_id, tool=call.tool, outcome="denied", text=NOT_DONE)
    return ToolResultPart(call_id=call.call_id, tool=call.tool, outcome="unknown", text=INTERRUPTED)


def _is_of(row: ToolExecution, call: ToolCallPart, approval_id: str | None) -> bool:
    if row.tool_name != call.tool:
        return False
    if approval_id is not None:
        return row.approval_id == approval_id
    return row.arguments is not None and msgspec.json.decode(row.arguments) == call.arguments


async def abandoned_runs(
    session: AsyncSession, *, now: datetime, alive: Collection[str] = ()
) -> Sequence[ChatRun]:
    """Runs that wait for a decision nobody can give any more, or gave and nobody acted on."""
    return (await session.scalars(_abandoned(now).where(ChatRun.id.not_in(alive)))).all()


async def abandoned_run(session: AsyncSession, run_id: str, *, now: datetime) -> ChatRun | None:
    """The run, its row locked, if it is still one of them."""
    query = _abandoned(now).where(ChatRun.id == run_id)
    return (await session.scalars(query.with_for_update(skip_locked=True))).one_or_none()


def _abandoned(now: datetime) -> Select[ChatRun]:
    unanswered = Approval.state.in_(UNANSWERED)
    decidable = unanswered & (Approval.expires_at > now - GRACE)
    acted = Approval.decided_at > now - ACT_WITHIN
    alive = exists().where(Approval.run_id == ChatRun.id, decidable | acted)
    waiting = ChatRun.state == "waiting_approval"
    return select(ChatRun).where(waiting, ChatRun.owner.is_(None), ~alive)


async def is_agreed(session: AsyncSession, run_id: str) -> bool:
    """Whether people have decided about all that the run asks, and agreed to some of it.

    Its questions are locked: until the transaction ends, nobody decides.
    """
    query = select(Approval).where(Approval.run_id == run_id, Approval.state.in_(OPEN))
    asked = await session.scalars(query.order_by(Approval.id).with_for_update())
    return {approval.standing for approval in asked} - {"expired"} == {"approved"}


async def withdraw(session: AsyncSession, run_id: str, *, reason: str) -> Sequence[Approval]:
    """Decline what a run still asks; also an agreement that was not used is void with it."""
    statement = (
        update(Approval)
        .where(Approval.run_id == run_id, Approval.state.in_(OPEN))
        .values(state="declined", decided_at=utc_now(), decided_via="chat", reason=reason)
        .returning(Approval)
    )
    return (await session.scalars(statement)).all()
