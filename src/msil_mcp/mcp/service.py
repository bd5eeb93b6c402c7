"""How the endpoint introduces itself: name, version, capabilities and instructions."""

from typing import Final

import mcp_types
import msgspec

from msil_mcp import __version__

NAME: Final = "MSIL MCP Server"
LIST_TTL_MS: Final = 1_000
SERVICE_TTL_MS: Final = 60_000

INSTRUCTIONS: Final = (
    "Each tool is one operation of a business API. Read a tool's description and input schema "
    "before calling it, and pass values exactly as they were given or as another tool returned "
    "them. Look things up before changing anything. Tools that change something need the "
    "agreement of a person: the server asks for it, so do not ask in your own words instead and "
    "never claim that it was given. When a result is an error, its text says what to change; "
    "repeat a call that changes something only with the same "
    '_meta["msil/idempotencyKey"], so that it happens once.'
)

IMPLEMENTATION: Final = mcp_types.Implementation(
    name=NAME,
    title=NAME,
    version=__version__,
    description="Business APIs as governed tools: authorised, confirmed and audited.",
)

LEGACY_CAPABILITIES: Final = mcp_types.ServerCapabilities(
    tools=mcp_types.ToolsCapability(list_changed=True),
    prompts=mcp_types.PromptsCapability(list_changed=True),
    resources=mcp_types.ResourcesCapability(subscribe=True, list_changed=True),
    completions=mcp_types.CompletionsCapability(),
    logging=mcp_types.LoggingCapability(),
)
MODERN_CAPABILITIES: Final = LEGACY_CAPABILITIES.model_copy(update={"logging": None})

SERVER_INFO_META: Final = {
    mcp_types.SERVER_INFO_META_KEY: IMPLEMENTATION.model_dump(by_alias=True, exclude_none=True)
}
SERVER_META: Final = b'"_meta":' + msgspec.json.encode(SERVER_INFO_META)
"""The member every modern result carries, encoded once."""
