"""A governed call from the MCP door: invoke, ask a person where a write needs it, encode."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import mcp_types
import msgspec

from msil_mcp.errors import Conflict, MsilError, TooManyRequests, Unavailable
from msil_mcp.mcp.confirmation import (
    DECLINED,
    DISMISSED,
    QUESTION,
    ApprovalDecider,
    Pending,
    Verdict,
    ask_elsewhere,
    question,
    read_verdict,
)
from msil_mcp.mcp.exchange import Exchange
from msil_mcp.mcp.providers import Answer, NeedsInput, Outcome
from msil_mcp.tools.call import Confirmation, ToolCall, ToolInvoker, ToolResult
from msil_mcp.tools.version import ToolVersion

UNKNOWN_TOOL: Final = "unknown_tool"

_encode: Final = msgspec.json.Encoder().encode


class CallLimited(TooManyRequests):
    """The limit rule refused; the sentence is the rule's."""


class CallUnavailable(Unavailable):
    """A rule could not decide just now; the sentence is the rule's."""


class Calling:
    """Puts calls through the invoker and speaks with the client about them."""

    def __init__(self, *, invoker: ToolInvoker, decide: ApprovalDecider) -> None:
        self._invoker = invoker
        self._decide = decide
        self._dispatched: set[asyncio.Task[ToolResult]] = set()

    async def call(
        self, version: ToolVersion, arguments: Mapping[str, Any], exchange: Exchange
    ) -> Outcome | None:
        """The outcome; None when the caller may not know that the tool exists."""
        call = ToolCall(
            principal=exchange.caller.principal,
            tool=version,
            arguments=arguments,
            origin="mcp",
            correlation_id=exchange.correlation_id,
            deadline=time.monotonic() + exchange.timeout_seconds,
            idempotency_key=exchange.idempotency_key,
            bundle=exchange.caller.bundle,
            session_id=exchange.session_id,
        )
        if exchange.state is not None:
            answered = await self._take_answer(call, exchange)
            if isinstance(answered, Answer):
                return answered
            call = answered
        result = await self._invoke(call, exchange)
        if result.outcome == "needs_confirmation" and result.confirmation is not None:
            return _asked(version, result.confirmation, exchange)
        return _outcome(result, version)

    async def _invoke(self, call: ToolCall, exchange: Exchange) -> ToolResult:
        if not call.tool.is_write:
            return await self._invoker.invoke(call)
        with exchange.shielded():
            # The server may cancel a request whose client has gone; the write runs on.
            task = asyncio.create_task(_invoked(self._invoker, call))
            self._dispatched.add(task)
            task.add_done_callback(self._dispatched.discard)
            return await asyncio.shield(task)

    async def _take_answer(self, call: ToolCall, exchange: Exchange) -> ToolCall | Answer:
        """The call as a person answered it, where the repeated call carries an answer."""
        pending = msgspec.msgpack.decode(exchange.state or b"", type=Pending)
        verdict = read_verdict(exchange.input_responses.get(QUESTION))
        if verdict is None or pending.tool_hash != call.tool.hash:
            return call
        return await self._decided(call, pending.approval_id, verdict)

    async def _decided(
        self, call: ToolCall, approval_id: str, verdict: Verdict
    ) -> ToolCall | Answer:
        if verdict == "dismissed":
            return _refusal(DISMISSED)
        try:
            await self._decide(
                approval_id,
                principal=call.principal,
                accepted=verdict == "agreed",
                reason="Answered in the client's form.",
            )
        except Conflict:
            # Decided or used before, as when a client repeats a call whose answer it lost. The
            # chain knows better than we do whether that is a replay or a refusal.
            pass
        except MsilError as error:
            return _refusal(str(error))
        if verdict == "declined":
            return _refusal(DECLINED)
        return replace(call, approval_id=approval_id)


async def _invoked(invoker: ToolInvoker, call: ToolCall) -> ToolResult:
    return await invoker.invoke(call)


def _asked(version: ToolVersion, confirmation: Confirmation, exchange: Exchange) -> Outcome:
    if not exchange.takes_forms:
        return _refusal(ask_elsewhere(confirmation))
    state = Pending(confirmation.approval_id, version.hash)
    return NeedsInput(
        requests={QUESTION: mcp_types.ElicitRequest(params=question(confirmation))},
        state=msgspec.msgpack.encode(state),
    )


def _outcome(result: ToolResult, version: ToolVersion) -> Outcome | None:
    if result.outcome == "denied":
        if result.error == UNKNOWN_TOOL:
            return None
        if result.status == TooManyRequests.status:
            raise CallLimited(result.text, retry_after=result.retry_after or 1.0)
        if result.status == Unavailable.status:
            raise CallUnavailable(result.text, retry_after=result.retry_after or 1.0)
    if result.is_error or result.outcome == "needs_confirmation":
        return _refusal(result.text)
    structured: tuple[bytes, ...] = ()
    if result.structured is not None:
        structured = (b',"structuredContent":', bytes(result.structured))
    elif version.definition.output_schema is not None:
        # Clients refuse a success that lacks what the tool's output schema promises.
        return _refusal(result.text)
    text = _encode(result.text)
    return Answer((b'{"content":[{"type":"text","text":' + text + b"}]", *structured, b"}"))


def _refusal(text: str) -> Answer:
    shown = _encode(text)
    return Answer((b'{"content":[{"type":"text","text":' + shown + b'}],"isError":true}',))
