"""Small OpenAPI documents for tests, written as Python."""

import json
from collections.abc import Mapping
from typing import Any

from msil_mcp.openapi.definitions import Import, ToolDefinition, define_tools
from msil_mcp.openapi.document import Document, parse_document
from msil_mcp.openapi.request import RequestBuilder, UpstreamRequest

BASE = "https://api.example.com/v1"


def tree(paths: Mapping[str, Any], *, version: str = "3.1.0", **rest: Any) -> dict[str, Any]:
    return {
        "openapi": version,
        "info": {"title": "Test", "version": "1"},
        "paths": paths,
    } | rest


def document(paths: Mapping[str, Any], *, version: str = "3.1.0", **rest: Any) -> Document:
    raw = json.dumps(tree(paths, version=version, **rest)).encode()
    return parse_document(raw, source="test.json")


def imported(paths: Mapping[str, Any], *, version: str = "3.1.0", **rest: Any) -> Import:
    return define_tools(document(paths, version=version, **rest))


def one_tool(
    operation: Mapping[str, Any],
    *,
    method: str = "get",
    path: str = "/things",
    version: str = "3.1.0",
    **rest: Any,
) -> ToolDefinition:
    result = imported({path: {method: operation}}, version=version, **rest)
    assert len(result.tools) == 1, result.verdicts
    return result.tools[0]


def json_body(schema: Any, *, required: bool = True) -> dict[str, Any]:
    return {
        "requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}
    }


def answer(schema: Any) -> dict[str, Any]:
    return {"responses": {"200": {"content": {"application/json": {"schema": schema}}}}}


def parameter(name: str, location: str = "query", **rest: Any) -> dict[str, Any]:
    return {"name": name, "in": location, "schema": {"type": "string"}} | rest


def sent(tool: ToolDefinition, arguments: Mapping[str, Any]) -> UpstreamRequest:
    return RequestBuilder(tool.request, BASE).build(arguments)
