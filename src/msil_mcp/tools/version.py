"""A tool version as the snapshot holds it and every rule reads it."""

import math
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import msgspec

from msil_mcp.openapi.definitions import Confirming, Risk, ToolDefinition
from msil_mcp.openapi.request import RequestBuilder
from msil_mcp.openapi.validation import Validator, compile_validator


class _Risky(msgspec.Struct):
    risk: Risk
    confirmation: Confirming | None = None


class _Encoded(msgspec.Struct):
    """What a client sees of a definition, its schemas left as they are encoded."""

    name: str
    title: str
    description: str
    input_schema: msgspec.Raw
    output_schema: msgspec.Raw
    annotations: msgspec.Raw


@dataclass(frozen=True, eq=False)
class ToolVersion:
    """One immutable version of a tool.

    `index` is the tool's bit in visible sets; `hash` is the definition's (RFC 8785, SHA-256).
    `source` is the stored definition as JSON. What is made of it is made when it is first needed
    and kept: of a thousand tools most are listed and few are called.
    """

    id: int
    tool_id: int
    index: int
    name: str
    number: int
    hash: str
    bundles: tuple[str, ...]
    source: bytes
    base_url: str
    allow_private: bool
    created_at: datetime

    @cached_property
    def definition(self) -> ToolDefinition:
        """Everything the version is."""
        return msgspec.json.decode(self.source, type=ToolDefinition)

    @cached_property
    def validator(self) -> Validator:
        """Checks arguments against the input schema."""
        return compile_validator(self.definition.input_schema)

    @cached_property
    def builder(self) -> RequestBuilder:
        """Makes the upstream request of arguments."""
        return RequestBuilder(self.definition.request, self.base_url)

    @cached_property
    def _risky(self) -> _Risky:
        return msgspec.json.decode(self.source, type=_Risky)

    @cached_property
    def is_write(self) -> bool:
        """Whether a call has effects."""
        return self._risky.risk != "read"

    @cached_property
    def needs_confirmation(self) -> bool:
        """Whether a person must agree to a call: to a write, unless somebody said otherwise."""
        if self._risky.confirmation is None:
            return self.is_write
        return self._risky.confirmation == "required"

    def check(self) -> None:
        """Make everything once and keep none of it; raises MsilError or MsgspecError."""
        definition = msgspec.json.decode(self.source, type=ToolDefinition)
        compile_validator(definition.input_schema)
        RequestBuilder(definition.request, self.base_url)

    def encode(self) -> bytes:
        """The MCP Tool object a client sees, as JSON."""
        return encode_tool(self.source)


def encode_tool(source: bytes | str) -> bytes:
    """The MCP Tool object of a stored definition, as JSON."""
    shown = msgspec.json.decode(source, type=_Encoded)
    tool: dict[str, object] = {
        "name": shown.name,
        "title": shown.title,
        "description": shown.description,
        "inputSchema": shown.input_schema,
    }
    if bytes(shown.output_schema) != b"null":
        tool["outputSchema"] = shown.output_schema
    tool["annotations"] = shown.annotations
    return msgspec.json.encode(tool)


def estimate_tokens(encoded: bytes) -> int:
    """About what JSON costs a model: a token for four bytes."""
    return math.ceil(len(encoded) / 4)
