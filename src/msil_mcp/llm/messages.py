"""Messages of a completion, without any model library: what callers of the service write."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from msil_mcp.llm.usage import Cost, TokenUsage

FinishReason = Literal["stop", "length", "content_filter", "tool_call", "error"]


@dataclass(frozen=True, slots=True)
class RequestedCall:
    """A tool call a model asks for, by the tool's own name and with its own argument names."""

    id: str
    tool: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class System:
    """Instructions; the same in every request of a conversation, so that they are cached."""

    text: str


@dataclass(frozen=True, slots=True)
class User:
    """What a person wrote."""

    text: str


@dataclass(frozen=True, slots=True)
class Assistant:
    """What the model answered before."""

    text: str = ""
    calls: tuple[RequestedCall, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolAnswer:
    """The result of a call, as the model reads it."""

    call: RequestedCall
    text: str
    failed: bool = False


Message = System | User | Assistant | ToolAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A model's whole answer; `model` is the one that gave it, perhaps a fallback.

    `charged_to` is the name that model is configured by.
    """

    text: str
    calls: tuple[RequestedCall, ...]
    usage: TokenUsage
    cost: Cost
    model: str
    charged_to: str
    finish_reason: FinishReason | None
