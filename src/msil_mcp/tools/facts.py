"""What lists show, sort and search tools by, made of a definition once and stored beside it."""

from typing import Final, TypedDict

import msgspec

from msil_mcp.openapi.definitions import Risk, ToolDefinition
from msil_mcp.tools.version import encode_tool, estimate_tokens

LONGEST_SEARCHED: Final = 2_000


class ToolFacts(TypedDict):
    """The columns of a stored version that follow from its definition."""

    definition: str
    title: str
    risk: Risk
    method: str
    path: str
    tokens: int
    searched: str


def facts_of(definition: ToolDefinition) -> ToolFacts:
    """The definition as it is stored, and what is kept beside it."""
    encoded = msgspec.json.encode(definition)
    return {
        "definition": encoded.decode(),
        "title": definition.title,
        "risk": definition.risk,
        "method": definition.request.method,
        "path": definition.request.path,
        "tokens": estimate_tokens(encode_tool(encoded)),
        "searched": _searched(definition),
    }


def _searched(definition: ToolDefinition) -> str:
    words = (
        definition.name,
        definition.title,
        definition.operation_id,
        definition.request.path,
        *definition.tags,
        definition.description,
    )
    return " ".join(words).casefold()[:LONGEST_SEARCHED]
