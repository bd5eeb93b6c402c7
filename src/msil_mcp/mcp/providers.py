"""What the endpoint serves: a provider offers tools, prompts and resources to a caller.

The product has one, over the governed catalogue. Results are encoded JSON objects without the
members that belong to an era (`resultType`, caching hints, `_meta`); the era adds these.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import mcp_types
from pydantic import BaseModel

from msil_mcp.mcp.exchange import Caller, Exchange
from msil_mcp.mcp.param_headers import MirroredParam

ERA_MEMBERS: Final = {"result_type", "ttl_ms", "cache_scope", "meta"}
CAPABILITY_OF: Final = {
    "elicitation/create": "elicitation",
    "sampling/createMessage": "sampling",
    "roots/list": "roots",
}
"""What a client must have declared to be asked."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished result: the parts of one encoded JSON object, the first beginning with it."""

    parts: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NeedsInput:
    """The call cannot go on before the client has answered; `state` comes back with the answers."""

    requests: Mapping[str, mcp_types.InputRequest] = field(default_factory=dict)
    state: bytes | None = None


Outcome = Answer | NeedsInput


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Change exactly when the list of that kind changes for a caller; equal on every replica."""

    tools: str
    prompts: str
    resources: str


def answer(result: BaseModel) -> Answer:
    """A result model as an answer."""
    body = result.model_dump_json(by_alias=True, exclude_none=True, exclude=ERA_MEMBERS)
    return Answer((body.encode(),))


class Tool(Protocol):
    """One tool at one moment, ready to be called by one caller."""

    @property
    def mirrored(self) -> Sequence[MirroredParam]:
        """Arguments that modern clients repeat in headers."""
        ...

    async def call(self, arguments: Mapping[str, Any], exchange: Exchange, /) -> Outcome | None:
        """Run it; None when the caller may not know that it exists."""
        ...


class Provider(Protocol):
    """A catalogue. Lookups answer None for what is not this provider's or not for the caller.

    Raises NotFound for a bundle that is not there, and Unavailable.
    """

    def fingerprints(self, caller: Caller) -> Fingerprints:
        """What the caller sees now, in short."""
        ...

    def listing(self, caller: Caller) -> bytes:
        """Encoded JSON array of the visible tools."""
        ...

    def find_tool(self, caller: Caller, name: str) -> Tool | None:
        """The tool of that name, whether or not it is visible."""
        ...

    def prompts(self, caller: Caller) -> Sequence[mcp_types.Prompt]:
        """The prompts a caller may get."""
        ...

    async def get_prompt(
        self, caller: Caller, params: mcp_types.GetPromptRequestParams, exchange: Exchange
    ) -> Outcome | None:
        """A prompt with its arguments filled in."""
        ...

    def resources(self, caller: Caller) -> Sequence[mcp_types.Resource]:
        """The resources a caller may read."""
        ...

    def resource_templates(self, caller: Caller) -> Sequence[mcp_types.ResourceTemplate]:
        """Patterns of further resources."""
        ...

    def resource_version(self, caller: Caller, uri: str) -> str | None:
        """Changes exactly when the resource does; None when there is none."""
        ...

    async def read_resource(self, caller: Caller, uri: str, exchange: Exchange) -> Outcome | None:
        """The contents."""
        ...

    def complete(
        self, caller: Caller, params: mcp_types.CompleteRequestParams
    ) -> mcp_types.Completion | None:
        """Suggestions for an argument of a prompt or a resource template."""
        ...
