"""A tool version compiled for calling: what the snapshot holds and every rule reads."""

from dataclasses import dataclass
from datetime import datetime

from msil_mcp.openapi.definitions import ToolDefinition
from msil_mcp.openapi.request import RequestBuilder
from msil_mcp.openapi.validation import Validator


@dataclass(frozen=True, slots=True, eq=False)
class ToolVersion:
    """One immutable version of a tool, ready to be validated, sent and listed.

    `index` is the tool's bit in visible sets; `hash` is the definition's (RFC 8785, SHA-256).
    `encoded` is the MCP Tool object as JSON bytes.
    """

    id: int
    tool_id: int
    index: int
    name: str
    number: int
    hash: str
    bundles: tuple[str, ...]
    definition: ToolDefinition
    base_url: str
    allow_private: bool
    validator: Validator
    builder: RequestBuilder
    encoded: bytes
    created_at: datetime

    @property
    def is_write(self) -> bool:
        """Whether a call has effects, so that a person must agree first."""
        return self.definition.risk != "read"
