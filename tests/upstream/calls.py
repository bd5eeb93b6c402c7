"""Tool calls against a server of the test, with the product's own request builder."""

import time
from datetime import UTC, datetime
from typing import Any

import msgspec

from msil_mcp.openapi.definitions import ToolAnnotations, ToolDefinition
from msil_mcp.openapi.template import BodyBinding, ParameterBinding, RequestTemplate
from msil_mcp.principal import Principal
from msil_mcp.tools.call import ToolCall
from msil_mcp.tools.version import ToolVersion

PRINCIPAL = Principal("user:1", "user", "Asha", frozenset({"user"}), frozenset())

_PARAMETERS = (
    ParameterBinding("id", "id", "path", "simple", explode=False),
    ParameterBinding("q", "q", "query", "form", explode=True),
    ParameterBinding("host", "Host", "header", "simple", explode=False),
    ParameterBinding("auth", "Authorization", "header", "simple", explode=False),
)


def tool(
    base_url: str,
    *,
    path: str = "/a",
    method: str = "GET",
    write: bool = False,
    idempotent: bool = False,
    bundles: tuple[str, ...] = ("service_booking",),
    allow_private: bool = True,
) -> ToolVersion:
    has_body = method in {"POST", "PUT", "PATCH"}
    template = RequestTemplate(
        method,
        path,
        tuple(p for p in _PARAMETERS if p.location != "path" or "{id}" in path),
        BodyBinding("application/json", "json", required=False, argument="body")
        if has_body
        else None,
    )
    schema: dict[str, Any] = {"type": "object"}
    definition = ToolDefinition(
        name="get_thing",
        title="Get thing",
        description="Gets a thing.",
        input_schema=schema,
        output_schema=None,
        risk="write" if write else "read",
        annotations=ToolAnnotations(not write, write, not write, open_world_hint=True),
        request=template,
        audit_subjects=(),
        pii=(),
        idempotent_upstream=idempotent,
        tags=(),
        operation_id="getThing",
        deprecated=False,
    )
    return ToolVersion(
        id=1,
        tool_id=7,
        index=0,
        name="get_thing",
        number=1,
        hash="0" * 64,
        bundles=bundles,
        source=msgspec.json.encode(definition),
        base_url=base_url,
        allow_private=allow_private,
        created_at=datetime(2025, 1, 1, tzinfo=UTC),
    )


def call(version: ToolVersion, *, seconds: float = 5.0, **facts: Any) -> ToolCall:
    values: dict[str, Any] = {
        "principal": PRINCIPAL,
        "tool": version,
        "arguments": {},
        "origin": "mcp",
        "correlation_id": "c0ffee",
        "deadline": time.monotonic() + seconds,
    }
    return ToolCall(**(values | facts))
