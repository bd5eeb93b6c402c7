"""The one call every door makes, and the one answer it gets.

Past the protocol nothing is raised at a door: a denial, a limit or an upstream failure is a
ToolResult whose text a model can act on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any, Literal, Protocol, Self

import msgspec

from msil_mcp.errors import MsilError
from msil_mcp.locales import Language, Message
from msil_mcp.openapi.canonical import arguments_hash
from msil_mcp.principal import Principal
from msil_mcp.tools.version import ToolVersion

Origin = Literal["mcp", "chat", "rest", "batch"]
Rule = Literal[
    "record", "authorize", "validate", "limit", "idempotency", "approve", "redact", "upstream"
]
Outcome = Literal["succeeded", "failed", "denied", "needs_confirmation", "unknown"]


@dataclass(frozen=True)
class ToolCall:
    """A request to run one version of a tool.

    `deadline` is on the clock of `time.monotonic`, in seconds. `idempotency_key` is the caller's;
    a JSON-RPC id never is one. `approval_id` names an approval a person has given.
    """

    principal: Principal
    tool: ToolVersion
    arguments: Mapping[str, Any]
    origin: Origin
    correlation_id: str
    deadline: float
    idempotency_key: str | None = None
    approval_id: str | None = None
    bundle: str | None = None
    session_id: str | None = None
    run_id: str | None = None
    message_id: str | None = None

    @cached_property
    def arguments_hash(self) -> str:
        """What approvals, keys and records are bound to; NotCanonical for what is no JSON."""
        return arguments_hash(self.arguments)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a person is asked before a write happens; everything in it is already masked."""

    approval_id: str
    tool: str
    request: Message
    arguments: Mapping[str, Any]
    method: str
    url: str
    expires_at: datetime
    page: str

    def shown(self, language: Language) -> dict[str, Any]:
        """The same as JSON values, with the sentence in a language."""
        return {
            "approval_id": self.approval_id,
            "tool": self.tool,
            "sentence": self.request.told(language),
            "arguments": self.arguments,
            "method": self.method,
            "url": self.url,
            "expires_at": self.expires_at,
            "page": self.page,
        }


class ToolResult(msgspec.Struct, frozen=True, gc=False):
    """What came of a call.

    `text` is what a model reads; `structured` is the same as encoded JSON object when the
    upstream answered one. `error` is the stable slug of what went wrong, `rule` the link of the
    chain that decided. Times are in seconds. `status` is what HTTP would say of the outcome.
    """

    outcome: Outcome
    text: str
    structured: msgspec.Raw | None = None
    error: str | None = None
    rule: Rule | None = None
    execution_id: str | None = None
    confirmation: Confirmation | None = None
    upstream_status: int | None = None
    upstream_seconds: float | None = None
    retry_after: float | None = None
    replayed: bool = False
    truncated: bool = False
    status: int = 200

    def but(self, **changes: Any) -> Self:
        """The same result with some facts changed."""
        return msgspec.structs.replace(self, **changes)

    @property
    def is_error(self) -> bool:
        """Whether the model should treat the text as a failure to act on."""
        return self.outcome not in {"succeeded", "needs_confirmation"}


class ToolInvoker(Protocol):
    """One link of the chain, or the whole of it."""

    async def invoke(self, call: ToolCall, /) -> ToolResult:
        """Run the call; denials and failures are results, never exceptions."""
        ...


def refused(error: MsilError, *, rule: Rule) -> ToolResult:
    """A rule's refusal as a result: its sentence for the model, its slug for the record."""
    return ToolResult(
        outcome="denied",
        text=str(error),
        error=error.slug,
        rule=rule,
        retry_after=getattr(error, "retry_after", None),
        status=error.status,
    )


def failed(error: MsilError, *, rule: Rule, upstream_status: int | None = None) -> ToolResult:
    """A call that was allowed and did not work."""
    return ToolResult(
        outcome="failed",
        text=str(error),
        error=error.slug,
        rule=rule,
        upstream_status=upstream_status,
        retry_after=getattr(error, "retry_after", None),
        status=error.status,
    )
