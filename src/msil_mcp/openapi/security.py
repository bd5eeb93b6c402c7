"""Which parameters are credentials or belong to HTTP itself; those are never arguments."""

from collections.abc import Mapping
from typing import Any

from msil_mcp.openapi.document import Document
from msil_mcp.openapi.errors import OperationProblem
from msil_mcp.openapi.operations import Parameter
from msil_mcp.openapi.references import at, follow

IDEMPOTENCY_KEY = "idempotency-key"
_CREDENTIAL_HEADERS = frozenset(
    (
        "authorization", "proxy-authorization", "cookie", "set-cookie", "api-key", "apikey",
        "x-api-key", "x-api-token", "x-auth-token", "x-access-token", "access-token", "token",
        "x-authorization", "x-amz-security-token",
    )
)  # fmt: skip
# Written by the HTTP client, or by this product for each call.
_PROTOCOL_HEADERS = frozenset(
    (
        "accept", "accept-encoding", "connection", "content-encoding", "content-length",
        "content-type", "expect", "host", "keep-alive", "te", "trailer", "transfer-encoding",
        "upgrade", "traceparent", "tracestate", "x-correlation-id",
    )
)  # fmt: skip


def credential_names(document: Document) -> frozenset[tuple[str, str]]:
    """Location and lower-case name of every API key the document's security schemes describe."""
    components = document.root.get("components")
    schemes = components.get("securitySchemes") if isinstance(components, dict) else None
    found: set[tuple[str, str]] = set()
    for name, raw in (schemes if isinstance(schemes, dict) else {}).items():
        scheme = _followed(document, raw, at("/components/securitySchemes", name))
        if scheme.get("type") == "apiKey":
            found.add((str(scheme.get("in")), str(scheme.get("name")).lower()))
    return frozenset(found)


def is_credential(parameter: Parameter, names: frozenset[tuple[str, str]]) -> bool:
    """Whether a parameter carries a credential of the operation."""
    lower = parameter.name.lower()
    if (parameter.location, lower) in names:
        return True
    return parameter.location == "header" and lower in _CREDENTIAL_HEADERS


def is_protocol_header(parameter: Parameter) -> bool:
    """Whether a header is written by the HTTP client or by this product."""
    return parameter.location == "header" and parameter.name.lower() in _PROTOCOL_HEADERS


def is_idempotency_key(parameter: Parameter) -> bool:
    """Whether this is the header by which the upstream recognises a repeated request."""
    return parameter.location == "header" and parameter.name.lower() == IDEMPOTENCY_KEY


def _followed(document: Document, raw: Any, pointer: str) -> Mapping[str, Any]:
    try:
        scheme, _ = follow(document.root, raw, pointer=pointer)
    except OperationProblem:  # an unreadable scheme describes no parameter
        return {}
    return scheme if isinstance(scheme, dict) else {}
