"""The tool calls of one run: through every rule, into the transcript, and onto the stream."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from msil_mcp.chat import wire
from msil_mcp.chat.parts import ApprovalPart, ResultOutcome, ToolResultPart
from msil_mcp.chat.transcript import Transcript
from msil_mcp.locales import Language
from msil_mcp.principal import Principal
from msil_mcp.tools.call import ToolCall, ToolInvoker, ToolResult
from msil_mcp.tools.version import ToolVersion

OUTCOMES: Final[Mapping[str, ResultOutcome]] = {
    "succeeded": "succeeded",
    "failed": "failed",
    "denied": "denied",
    "unknown": "unknown",
}


class Cut(Exception):
    """The run was cancelled; what is open on the stream is closed before it ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in which conversation calls are made."""

    principal: Principal
    session_id: str
    run_id: str
    message_id: str
    correlation_id: str


@dataclass(slots=True, kw_only=True)
class Calls:
    """Makes calls; what a write has begun goes on to its end when the run is stopped."""

    invoker: ToolInvoker
    place: Place
    transcript: Transcript
    emit: Callable[[str], None]
    language: Language
    seconds: float
    _writes: set["asyncio.Task[ToolResult]"] = field(default_factory=set)

    async def make(
        self,
        call_id: str,
        version: ToolVersion,
        arguments: Mapping[str, Any],
        *,
        approval_id: str | None = None,
    ) -> ToolResult:
        """The answer, noted; one that needs a person's agreement notes what they are asked."""
        place = self.place
        call = ToolCall(
            principal=place.principal,
            tool=version,
            arguments=arguments,
            origin="chat",
            correlation_id=place.correlation_id,
            deadline=time.monotonic() + self.seconds,
            approval_id=approval_id,
            session_id=place.session_id,
            run_id=place.run_id,
            message_id=place.message_id,
        )
        if not version.is_write:
            return await self._noted(call_id, call)
        task = asyncio.create_task(self._noted(call_id, call), name="chat-write")
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def settled(self) -> None:
        """Wait for the writes that go on although nobody waits for them."""
        while self._writes:
            await asyncio.wait(set(self._writes))

    async def _noted(self, call_id: str, call: ToolCall) -> ToolResult:
        started = time.perf_counter()
        result = await self.invoker.invoke(call)
        self.note(call_id, call.tool.name, result, seconds=time.perf_counter() - started)
        return result

    def note(self, call_id: str, tool: str, result: ToolResult, *, seconds: float) -> None:
        """What came of a call; its text is in its execution's row where there is one."""
        if result.confirmation is not None:
            asked = ApprovalPart(call_id=call_id, approval_id=result.confirmation.approval_id)
            self.transcript.add(asked)
            for encoded in wire.approval_request(
                call_id, result.confirmation, language=self.language
            ):
                self.emit(encoded)
            return
        self.transcript.add(
            ToolResultPart(
                call_id=call_id,
                tool=tool,
                outcome=OUTCOMES[result.outcome],
                execution_id=result.execution_id,
                text=None if result.execution_id else result.text,
            )
        )
        timing = {
            "call_id": call_id,
            "tool": tool,
            "execution_id": result.execution_id,
            "outcome": result.outcome,
            "error": result.error,
            "duration_ms": round(seconds * 1000, 3),
        }
        self.emit(wire.data("tool", timing, id=f"tool-{call_id}"))
