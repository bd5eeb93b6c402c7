"""Chunks of the AI SDK's UI message stream (protocol v1) that this product makes by itself.

What a model says is encoded by the model library's own encoder; these are the same shapes for the
beginning, the end, confirmations, and for answers shown again from the database.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from msil_mcp.chat.parts import ResultOutcome
from msil_mcp.governance.approvals import Approval
from msil_mcp.locales import Language
from msil_mcp.tools.call import Confirmation

HEADERS: Final = {
    "x-vercel-ai-ui-message-stream": "v1",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
DONE: Final = b"data: [DONE]\n\n"
HEARTBEAT: Final = b": waiting\n\n"


def chunk(kind: str, **facts: Any) -> str:
    """One chunk as JSON; what is None is left out."""
    shown = {name: value for name, value in facts.items() if value is not None}
    return msgspec.json.encode({"type": kind} | shown).decode()


def data(name: str, value: Mapping[str, Any], *, id: str | None = None) -> str:  # noqa: A002
    """A part of our own; one with the same id takes the place of the first."""
    return chunk(f"data-{name}", id=id, data=value)


def said_text(part_id: str, said: str) -> list[str]:
    """A whole text."""
    return [
        chunk("text-start", id=part_id),
        chunk("text-delta", id=part_id, delta=said),
        chunk("text-end", id=part_id),
    ]


def tool_input(call_id: str, tool: str, arguments: Mapping[str, Any]) -> str:
    """A call with its arguments."""
    return chunk("tool-input-available", toolCallId=call_id, toolName=tool, input=arguments)


def tool_output(call_id: str, outcome: ResultOutcome, said: str) -> str:
    """What came of a call."""
    if outcome == "succeeded":
        return chunk("tool-output-available", toolCallId=call_id, output=structured(said))
    if outcome == "denied":
        return chunk("tool-output-denied", toolCallId=call_id)
    return chunk("tool-output-error", toolCallId=call_id, errorText=said)


def approval_request(call_id: str, confirmation: Confirmation, *, language: Language) -> list[str]:
    """What a person is asked: the exact request, masked."""
    card = {
        "approval_id": confirmation.approval_id,
        "call_id": call_id,
        "state": "pending",
        "tool": confirmation.tool,
        "sentence": confirmation.request.told(language),
        "arguments": confirmation.arguments,
        "method": confirmation.method,
        "url": confirmation.url,
        "expires_at": confirmation.expires_at,
    }
    return [
        chunk("tool-approval-request", approvalId=confirmation.approval_id, toolCallId=call_id),
        data("approval", card, id=call_id),
    ]


def approval_card(call_id: str, approval: Approval, *, language: Language) -> str:
    """The same, with what became of it."""
    card = {
        "approval_id": approval.id,
        "call_id": call_id,
        "state": approval.standing,
        "tool": approval.tool_name,
        "sentence": approval.request.told(language),
        "arguments": approval.arguments,
        "method": approval.method,
        "url": approval.url,
        "expires_at": approval.expires_at,
        "reason": approval.reason,
    }
    return data("approval", card, id=call_id)


def summary_state(run_id: str, state: str, **facts: Any) -> str:
    """Whether earlier messages are being summarised for this answer, or were."""
    return data("summary", {"state": state, **facts}, id=f"summary-{run_id}")


def event(number: str, encoded: str) -> bytes:
    """A chunk as a server-sent event."""
    return f"id: {number}\ndata: {encoded}\n\n".encode()


def unnumbered(encoded: str) -> bytes:
    """A chunk nobody can resume after."""
    return f"data: {encoded}\n\n".encode()


def structured(said: str) -> Any:
    """A result as an object where it is one."""
    if said[:1] in {"{", "["}:
        try:
            return msgspec.json.decode(said)
        except msgspec.DecodeError:
            return said
    return said
