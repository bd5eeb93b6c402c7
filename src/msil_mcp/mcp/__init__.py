"""The MCP endpoint: transport, dispatch and both protocol eras over one governed invoker."""

from msil_mcp.mcp.app import McpApp, McpEndpoint
from msil_mcp.mcp.build import RunningMcp, running_mcp
from msil_mcp.mcp.governed import GovernedProvider
from msil_mcp.mcp.providers import Provider
from msil_mcp.mcp.revocations import StoredRevocations

__all__ = [
    "GovernedProvider",
    "McpApp",
    "McpEndpoint",
    "Provider",
    "RunningMcp",
    "StoredRevocations",
    "running_mcp",
]
