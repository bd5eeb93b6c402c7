"""Values no database can look for or keep are the caller's mistake, at every route."""

import base64
import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from msil_mcp.main import create_app
from msil_mcp.settings import Settings
from running import Product

pytestmark = pytest.mark.anyio
DOCUMENT = create_app(Settings(_env_file=None)).openapi()
SCHEMAS = DOCUMENT["components"]["schemas"]
NUL = "a\x00b"
HALF = "a\ud800b"
CURSORS = ([2**70], [-1], [NUL], ["0001-01-01T00:00:00+14:00", 1], ["2026-01-01T00:00:00", 2**70],
           [True, "9999-12-31T23:59:59-14:00", "ab"], ["2026-01-01T00:00:00", "a"])  # fmt: skip
ODD: dict[str, list[Any]] = {
    "integer": [2**31, 2**63, 2**70, -1],
    "date-time": ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"],
    "date": ["0001-01-01", "9999-12-31"],
    "string": [NUL, "\ud7ff\U0010ffff", "%" * 50],
}
LONG_WAITS = {"/api/chat/sessions/{session_id}/turns/{run_id}/events"}
NAMES = {"username": "ann", "email": "a@example.com", "permissions": [], "roles": ["user"]}


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = SCHEMAS[schema["$ref"].rpartition("/")[2]]
    return schema


def choices(schema: dict[str, Any]) -> list[dict[str, Any]]:
    schema = resolved(schema)
    return [resolved(one) for one in schema.get("anyOf", [schema])]


def odd_values(parameter: dict[str, Any]) -> list[Any]:
    if parameter["name"] == "cursor":
        raw = [json.dumps(one).encode() for one in CURSORS]
        return [base64.urlsafe_b64encode(one).decode().rstrip("=") for one in raw]
    kinds = [str(one.get("format", one.get("type"))) for one in choices(parameter["schema"])]
    return [value for kind in kinds for value in ODD.get(kind, ())]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in DOCUMENT["paths"].items():
        for method, operation in methods.items():
            if path not in LONG_WAITS:
                yield method.upper(), path, operation


OPERATIONS = list(operations())


def plain(parameter: dict[str, Any]) -> str:
    kinds = [one.get("type") for one in choices(parameter["schema"])]
    return "7" if "integer" in kinds else "ab"


def asked(path: str, values: dict[str, Any], given: list[dict[str, Any]]) -> str:
    query = {}
    for parameter in given:
        name = parameter["name"]
        value = values.get(name, plain(parameter))
        if parameter["in"] == "path":
            path = path.replace("{" + name + "}", quote(str(value), safe=""))
        elif parameter["in"] == "query" and (name in values or parameter.get("required")):
            query[name] = str(value)
    return f"{path}?{urlencode(query)}" if query else path


def body_of(operation: dict[str, Any]) -> dict[str, Any] | None:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else resolved(content["schema"])


def sample(schema: dict[str, Any], name: str = "") -> Any:
    if name in NAMES:
        return NAMES[name]
    one = choices(schema)[0]
    if "enum" in one or "const" in one:
        return one.get("const", one.get("enum", [None])[0])
    match one.get("type"):
        case "object":
            fields = one.get("properties", {})
            return {key: sample(fields[key], key) for key in one.get("required", ())}
        case "array":
            return [sample(one["items"])] * one.get("minItems", 0)
        case "integer" | "number":
            return one.get("minimum", 1)
        case "boolean":
            return False
    return "https://example.com/x" if "url" in name else "abcdefghijkl"


def texts_in(schema: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The members of a body that take any text or number, with an odd one."""
    for name, member in resolved(schema).get("properties", {}).items():
        for one in choices(member):
            if one.get("type") == "string" and not {"enum", "const", "format"} & set(one):
                yield name, NUL
                yield name, HALF
            elif one.get("type") == "integer":
                yield name, 2**70
            elif one.get("type") == "array" and one["items"].get("type") == "string":
                yield name, [NUL]


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    OPERATIONS,
    ids=[f"{method} {path}" for method, path, _ in OPERATIONS],
)
async def test_odd_values_are_never_our_fault(
    shared_product: Product, method: str, path: str, operation: dict[str, Any]
) -> None:
    given = operation.get("parameters", [])
    schema = body_of(operation)
    body: Any = None if schema is None else sample(schema)
    requests = [
        (asked(path, {one["name"]: value}, given), body)
        for one in given
        for value in odd_values(one)
    ]
    if schema is not None:
        requests += [
            (asked(path, {}, given), body | {name: value}) for name, value in texts_in(schema)
        ]
    broken = []
    for url, said in itertools.islice(requests, 200):
        options = {} if said is None else {"json": said}
        reply = await shared_product.request(method, url, role="administrator", **options)
        if reply.status == 500:
            broken.append((url, said, reply.body[:200]))
    assert broken == []
