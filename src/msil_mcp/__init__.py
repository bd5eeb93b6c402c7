"""MSIL MCP Server: OpenAPI documents become governed MCP tools."""

from importlib.metadata import version

__version__ = version("msil-mcp")
