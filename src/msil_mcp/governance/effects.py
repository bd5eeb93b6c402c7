"""Effects happen once: replay by key, agreement before a write, intent before the request."""

import asyncio
from dataclasses import dataclass, replace

from msil_mcp.db.database import utc_now
from msil_mcp.errors import MsilError
from msil_mcp.governance.approvals import (
    IDENTITY,
    OPEN,
    Approval,
    ApprovalDeclined,
    Approvals,
    ApprovalUsed,
)
from msil_mcp.governance.executions import (
    Execution,
    Executions,
    replayed_result,
)
from msil_mcp.governance.repeats import (
    BadIdempotencyKey,
    ChangedSince,
    KeyReused,
    OutcomeUnknown,
    StillRunning,
)
from msil_mcp.tools.call import ToolCall, ToolInvoker, ToolResult, refused


def effective_key(call: ToolCall) -> str | None:
    """The caller's key, or the approval: agreeing once never does a thing twice."""
    if call.idempotency_key is not None:
        return call.idempotency_key
    if call.approval_id is None or not call.tool.needs_confirmation:
        return None
    return f"approval:{call.approval_id}" if IDENTITY.fullmatch(call.approval_id) else None


class DispatchCancelled(asyncio.CancelledError):
    """The caller of a read went away while its intent was stored; the row has to say so."""

    def __init__(self, execution_id: str) -> None:
        super().__init__()
        self.execution_id = execution_id


@dataclass(frozen=True, slots=True)
class Dispatch:
    """Marks the intent as sent, then sends; the execution's id is the key upstream sees."""

    executions: Executions
    inner: ToolInvoker

    async def run(self, call: ToolCall, execution_id: str) -> ToolResult:
        """Send a call whose intent is stored; refused when that it was sent cannot be."""
        try:
            try:
                await self.executions.dispatched(execution_id)
            except MsilError as error:
                return refused(error, rule="idempotency")
            result = await self.inner.invoke(replace(call, idempotency_key=execution_id))
            return result.but(execution_id=execution_id)
        except asyncio.CancelledError as error:
            if call.tool.is_write:
                raise
            raise DispatchCancelled(execution_id) from error
        finally:
            self.executions.release(execution_id)


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Answers a repeated key from the stored result; never runs one twice at the same time.

    After an unknown outcome the same key is sent again only where the upstream honours keys.
    """

    executions: Executions
    dispatch: Dispatch
    inner: ToolInvoker

    async def invoke(self, call: ToolCall) -> ToolResult:
        """Pass on a call that has no key, or the first with its key."""
        key = effective_key(call)
        if key is None:
            return await self.inner.invoke(call)
        try:
            if "\x00" in key:
                raise BadIdempotencyKey
            found = await self.executions.find(principal_id=call.principal.id, key=key)
            if found is None:
                return await self.inner.invoke(call)
            return await self._repeat(call, found)
        except MsilError as error:
            return refused(error, rule="idempotency")

    async def _repeat(self, call: ToolCall, found: Execution) -> ToolResult:
        same = (call.tool.name, call.arguments_hash)
        if (found.tool_name, found.arguments_hash) != same:
            raise KeyReused
        if found.is_finished:
            return replayed_result(found)
        if found.is_alive(utc_now()):
            raise StillRunning
        may_have_happened = found.state in {"dispatched", "unknown"}
        if may_have_happened and not call.tool.definition.idempotent_upstream:
            raise OutcomeUnknown
        if call.tool.is_write and found.tool_version_id != call.tool.id:
            # A person agreed to the version as it was, and to where it was sent.
            raise ChangedSince(call.tool.name)
        await self.executions.take_over(found)
        return await self.dispatch.run(call, found.id)


@dataclass(frozen=True, slots=True)
class Approve:
    """Lets reads pass; a write needs an approval bound to exactly this call.

    A person may have said of a tool that it needs none, or of one that reads that it does.

    What a conversation does is stored before it is done, also a read: an interrupted conversation
    is told by it what became of its calls.
    """

    approvals: Approvals
    executions: Executions
    dispatch: Dispatch
    inner: ToolInvoker

    async def invoke(self, call: ToolCall) -> ToolResult:
        """Pass on a read; dispatch an approved write; else ask."""
        key = effective_key(call)
        tool = call.tool
        has_effect = tool.is_write or tool.needs_confirmation
        if not has_effect and key is None and call.origin != "chat":
            return await self.inner.invoke(call)
        try:
            approval_id = None
            if tool.needs_confirmation:
                approval = await self._approval(call)
                if approval.state == "pending":
                    return self._ask(approval)
                approval_id = approval.id
            execution_id = await self.executions.intend(call, key=key, approval_id=approval_id)
            if approval_id is not None:
                self.approvals.on_event("used")
        except MsilError as error:
            return refused(error, rule="approve")
        return await self.dispatch.run(call, execution_id)

    async def _approval(self, call: ToolCall) -> Approval:
        approval = await self.approvals.usable(call)
        if approval is None:
            return await self.approvals.ask(call)
        if approval.state == "declined":
            raise ApprovalDeclined(approval.reason)
        if approval.standing not in OPEN:
            raise ApprovalUsed(approval.standing)
        return approval

    def _ask(self, approval: Approval) -> ToolResult:
        confirmation = self.approvals.confirmation(approval)
        return ToolResult(
            outcome="needs_confirmation",
            text=(
                f"{approval.request} A person has to agree first, at {confirmation.page}. "
                "Nothing has been done yet. After they agree, repeat the same call."
            ),
            rule="approve",
            confirmation=confirmation,
            status=202,
        )
