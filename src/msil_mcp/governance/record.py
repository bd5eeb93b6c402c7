"""The outermost rule: every call leaves one audit record, one execution row, metrics and a span.

It sees refusals too. The answer leaves only when its record is durable; a call whose record cannot
be written is answered as unavailable, and a write is refused before anything is sent (fail closed).
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import msgspec
import structlog

from msil_mcp.audit.records import AuditRecord, table_of
from msil_mcp.audit.rows import Insert, Update
from msil_mcp.audit.trail import Audit
from msil_mcp.db.database import utc_now
from msil_mcp.errors import MsilError
from msil_mcp.governance.effects import DispatchCancelled, effective_key
from msil_mcp.governance.executions import (
    ToolExecution,
    intent_values,
    new_execution_id,
    stored_result,
)
from msil_mcp.governance.masks import ToolMasks
from msil_mcp.observability.metrics import Metrics, ToolStatus
from msil_mcp.observability.tracing import Tracer
from msil_mcp.openapi.errors import NotCanonical
from msil_mcp.tools.call import ToolCall, ToolInvoker, ToolResult, failed, refused
from msil_mcp.tools.version import ToolVersion

EXECUTIONS: Final = table_of(ToolExecution)
STATUS: Final[Mapping[str, ToolStatus]] = {
    "succeeded": "success",
    "failed": "failed",
    "denied": "denied",
    "needs_confirmation": "needs_confirmation",
    "unknown": "unknown",
}
STATE: Final = {"succeeded": "succeeded", "failed": "failed", "denied": "failed"}

log = structlog.get_logger()


class CallCancelled(MsilError):
    """The caller went away before a read was answered."""

    status = 499
    slug = "cancelled"


class DeadlineExceeded(MsilError):
    """The call as a whole took longer than it may."""

    status = 504
    slug = "deadline_exceeded"


class CallBroke(MsilError):
    """A defect of this server on the way through the rules; the log has the rest."""

    slug = "call_broke"


class _Timed(msgspec.Struct, frozen=True, gc=False):
    result: ToolResult
    seconds: float
    trace_id: str | None


class Record:
    """Runs the chain and records what came of it."""

    def __init__(
        self, *, audit: Audit, metrics: Metrics, tracer: Tracer, inner: ToolInvoker
    ) -> None:
        self._audit = audit
        self._metrics = metrics
        self._tracer = tracer
        self._inner = inner
        self._masks: dict[int, ToolMasks] = {}
        self._running: set[asyncio.Task[ToolResult]] = set()
        self.in_progress = 0

    async def invoke(self, call: ToolCall) -> ToolResult:
        """A cancelled read ends; a write goes on to its end, and its record with it."""
        try:
            _ = call.arguments_hash
        except NotCanonical as error:
            # What is no JSON can be neither hashed nor stored: the record stands without it.
            result = refused(error, rule="validate")
            return await self._keep(replace(call, arguments={}), _Timed(result, 0.0, None))
        if not call.tool.is_write and effective_key(call) is None:
            return await self._run(call)
        task = asyncio.create_task(self._run(call))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for the calls that go on without their caller."""
        if self._running:
            await asyncio.gather(*self._running, return_exceptions=True)

    async def _run(self, call: ToolCall) -> ToolResult:
        self.in_progress += 1
        started = time.perf_counter()
        trace_id = None
        try:
            if self._tracer.enabled:
                with self._tracer.span(f"tools/call {call.tool.name}", _attributes(call)) as span:
                    trace_id = _trace_id(self._tracer)
                    result = await self._decide(call)
                    if result.error is not None:
                        span.fail(result.error)
            else:
                result = await self._decide(call)
        except asyncio.CancelledError as error:
            result = failed(CallCancelled(), rule="record")
            if isinstance(error, DispatchCancelled):
                result = result.but(execution_id=error.execution_id)
            timed = _Timed(result, time.perf_counter() - started, trace_id)
            await asyncio.shield(self._keep(call, timed))
            raise
        finally:
            self.in_progress -= 1
        return await self._keep(call, _Timed(result, time.perf_counter() - started, trace_id))

    async def _decide(self, call: ToolCall) -> ToolResult:
        if call.tool.is_write:
            try:
                self._audit.ensure_writable()
            except MsilError as error:
                return refused(error, rule="record")
        if call.deadline <= time.monotonic():
            return failed(DeadlineExceeded(), rule="record")
        try:
            return await self._inner.invoke(call)
        except Exception:  # Whatever breaks within, the call is answered and recorded.
            log.exception("tool_call_broke", tool=call.tool.name)
            broken = failed(CallBroke(), rule="record")
            return broken.but(outcome="unknown") if call.tool.is_write else broken

    async def _keep(self, call: ToolCall, timed: _Timed) -> ToolResult:
        result = timed.result
        self._measure(call.tool, result, timed.seconds)
        also, execution_id = self._execution(call, timed)
        record = self._record(call, timed, execution_id=execution_id)
        try:
            await self._audit.write(record, also=also)
        except MsilError as error:
            log.exception("audit_write_failed", tool=call.tool.name, outcome=result.outcome)
            if result.outcome in {"succeeded", "unknown"} and call.tool.is_write:
                # The effect is there and its intent is stored; hiding that would invite a repeat.
                return result.but(outcome="unknown", error=error.slug, status=error.status)
            return failed(error, rule="record")
        return result if execution_id is None else result.but(execution_id=execution_id)

    def _measure(self, tool: ToolVersion, result: ToolResult, seconds: float) -> None:
        self._metrics.record_tool_call(tool.name, STATUS[result.outcome], seconds)
        if result.outcome == "denied" and result.rule is not None:
            self._metrics.record_denial(result.rule)
        if result.replayed:
            self._metrics.record_replay()

    def _execution(
        self, call: ToolCall, timed: _Timed
    ) -> tuple[Sequence[Insert | Update], str | None]:
        """The change to the call's row: finish the intent, or insert the whole of it."""
        result = timed.result
        if result.replayed or result.outcome == "needs_confirmation":
            return (), result.execution_id
        keyed = result.execution_id is not None
        finished = utc_now()
        outcome: dict[str, Any] = {
            "state": STATE.get(result.outcome, "unknown"),
            "error": result.error,
            "upstream_status": result.upstream_status,
            "duration_ms": timed.seconds * 1000,
            "finished_at": finished,
            "lease_until": None,
            "result": stored_result(result) if keyed or call.origin == "chat" else None,
        }
        if result.execution_id is not None:
            return (Update(EXECUTIONS, {"id": result.execution_id}, outcome),), result.execution_id
        execution_id = new_execution_id()
        values = intent_values(call, execution_id=execution_id, key=None)
        values |= {"approval_id": None, "owner": None, "attempts": 1, "dispatched_at": None}
        values["created_at"] = finished - timedelta(seconds=timed.seconds)
        return (Insert(EXECUTIONS, values | outcome),), execution_id

    def _record(self, call: ToolCall, timed: _Timed, *, execution_id: str | None) -> AuditRecord:
        tool, result = call.tool, timed.result
        masks = self._masks_of(tool)
        confirmation = result.confirmation
        return AuditRecord(
            kind="tool.call",
            action="tools/call",
            outcome=result.outcome,
            principal=call.principal,
            rule=result.rule,
            error=result.error,
            origin=call.origin,
            tool=tool.name,
            tool_version_id=tool.id,
            tool_hash=tool.hash,
            bundle=call.bundle or (tool.bundles[0] if tool.bundles else None),
            risk=tool.definition.risk,
            arguments_hash=call.arguments_hash,
            arguments=masks.arguments.arguments(call.arguments),
            result=masks.summary(result.text, result.structured),
            subjects=_subjects(call, result) if tool.definition.audit_subjects else None,
            approval_id=confirmation.approval_id if confirmation else call.approval_id,
            execution_id=execution_id,
            idempotency=effective_key(call) is not None,
            correlation_id=call.correlation_id,
            trace_id=timed.trace_id,
            session_id=call.session_id,
            run_id=call.run_id,
            upstream_status=result.upstream_status,
            duration_ms=timed.seconds * 1000,
            upstream_ms=None if result.upstream_seconds is None else result.upstream_seconds * 1000,
            replayed=result.replayed,
        )

    def _masks_of(self, tool: ToolVersion) -> ToolMasks:
        masks = self._masks.get(tool.id)
        if masks is None:
            masks = self._masks[tool.id] = ToolMasks.of(tool.definition)
        return masks


def _trace_id(tracer: Tracer) -> str | None:
    """The second field of a W3C traceparent."""
    traceparent = tracer.traceparent()
    return traceparent.split("-")[1] if traceparent else None


def _attributes(call: ToolCall) -> Mapping[str, str]:
    return {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": call.tool.name,
        "msil.origin": call.origin,
        "msil.principal.id": call.principal.id,
        "msil.correlation_id": call.correlation_id,
    }


def _subjects(call: ToolCall, result: ToolResult) -> dict[str, str]:
    """Declared identifiers from the arguments and the answer, kept to be searched by."""
    wanted = call.tool.definition.audit_subjects
    found = {name: str(call.arguments[name]) for name in wanted if name in call.arguments}
    missing = [name for name in wanted if name not in found]
    if missing and result.structured is not None:
        answer = msgspec.json.decode(result.structured)
        found |= {name: str(answer[name]) for name in missing if answer.get(name) is not None}
    return found
