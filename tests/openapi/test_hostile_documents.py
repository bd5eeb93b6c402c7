"""Whatever a document holds, it is refused or imported; nothing else comes out."""

import copy
import json
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from msil_mcp.openapi.definitions import Import, define_tools, definition_hash
from msil_mcp.openapi.document import DocumentError, parse_document
from openapi.documents import answer, json_body, parameter, tree

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"a": {"type": "string", "nullable": True, "x-msil-pii": "name"},
                   "b": {"$ref": "#/components/schemas/B"}},
    "required": ["a"],
    "allOf": [{"$ref": "#/components/schemas/B"}],
}  # fmt: skip
WHOLE = tree(
    {
        "/x/{id}": {
            "parameters": [parameter("id", "path"), parameter("q", style="form", explode=True)],
            "get": {"operationId": "read", "tags": ["t"], **answer(SCHEMA)},
            "post": {
                "x-msil-class": "write",
                "x-msil-audit-subjects": ["id"],
                "servers": [{"url": "https://x.example"}],
                **json_body(SCHEMA),
                **answer({"$ref": "#/components/schemas/B"}),
            },
        }
    },
    components={
        "schemas": {"B": {"properties": {"c": {"type": "integer"}, "d": {
            "type": "array", "items": {"$ref": "#/components/schemas/B"}}}}},
        "securitySchemes": {"k": {"type": "apiKey", "in": "query", "name": "k"}},
    },
    servers=[{"url": "https://{a}.example", "variables": {"a": {"default": "b"}}}],
    security=[{"k": []}],
)  # fmt: skip
SWAGGER = {
    "swagger": "2.0",
    "host": "a.example",
    "paths": {
        "/x": {
            "parameters": [{"name": "f", "in": "formData", "type": "array", "items": {}}],
            "post": {
                "consumes": ["application/x-www-form-urlencoded"],
                "parameters": [{"name": "q", "in": "query", "type": "array", "items": {},
                                "collectionFormat": "multi"}, {"$ref": "#/parameters/p"}],
                "responses": {"200": {"schema": {"$ref": "#/definitions/D"}}},
            },
        }
    },
    "parameters": {"p": {"name": "b", "in": "body", "schema": {"$ref": "#/definitions/D"}}},
    "definitions": {"D": {"type": "object", "properties": {"e": {"x-nullable": True}}}},
    "securityDefinitions": {"s": {"type": "apiKey", "in": "header", "name": "S"}},
}  # fmt: skip
WRONG = [None, True, 0, -1, 1.5, "", "x", "#/components/schemas/B", [], [1], ["x", "x"], {},
         {"$ref": "#/components/schemas/B"}, {"$ref": "#/nowhere"}, {"$ref": "a.yaml"}, {"$ref": 1},
         {"x": {}}, [{}], {"type": "object"}]  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    steps = node.items() if isinstance(node, dict) else enumerate(node)
    found = []
    for step, child in steps:
        found.append((*path, step))
        if isinstance(child, dict | list):
            found += places(child, (*path, step))
    return found


def changed(whole: dict[str, Any], place: tuple[Any, ...], value: Any) -> dict[str, Any]:
    result = copy.deepcopy(whole)
    node: Any = result
    for step in place[:-1]:
        node = node[step]
    node[place[-1]] = value
    return result


CHANGES = [(whole, place) for whole in (WHOLE, SWAGGER) for place in places(whole)]


def imported_or_refused(raw: bytes) -> Import | None:
    try:
        document = parse_document(raw, source="x.json")
    except DocumentError:
        return None
    result = define_tools(document)
    for tool in result.tools:
        definition_hash(tool)
    return result


def test_any_single_wrong_value_is_refused_or_told() -> None:
    for index, (whole, place) in enumerate(CHANGES):
        for wrong in WRONG[index % 2 :: 2]:
            imported_or_refused(json.dumps(changed(whole, place, wrong)).encode())


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(CHANGES), st.sampled_from(WRONG)), max_size=3))
def test_several_wrong_values_are_refused_or_told(changes: list[Any]) -> None:
    tree_now = copy.deepcopy(WHOLE)
    for (whole, place), wrong in changes:
        if whole is WHOLE:
            try:
                tree_now = changed(tree_now, place, wrong)
            except (KeyError, IndexError, TypeError):
                continue
    imported_or_refused(json.dumps(tree_now).encode())


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_bytes_are_refused_or_read(raw: bytes) -> None:
    imported_or_refused(raw)


def test_a_thousand_operations_are_imported() -> None:
    paths = {f"/x{n}": {"post": {**json_body(SCHEMA), **answer(SCHEMA)}} for n in range(1_000)}
    raw = json.dumps(WHOLE | {"paths": paths}).encode()
    result = imported_or_refused(raw)
    assert result is not None
    assert len(result.tools) == 1_000


def test_schemas_that_multiply_are_tamed() -> None:
    """Each of forty schemas needs the next one twice, in place: 2**40 ways through."""
    schemas: dict[str, Any] = {"S40": {"type": "object", "properties": {"x": {"type": "string"}}}}
    for n in range(40):
        reference = {"$ref": f"#/components/schemas/S{n + 1}"}
        schemas[f"S{n}"] = {"allOf": [reference, reference], "x-msil-pii": "name",
                            "properties": {"id": {"readOnly": True}}}  # fmt: skip
    raw = json.dumps(
        tree(
            {"/x": {"post": json_body({"$ref": "#/components/schemas/S0"})}, "/y": {"get": {}}},
            components={"schemas": schemas},
        )
    ).encode()
    started = time.process_time()
    result = imported_or_refused(raw)
    assert result is not None
    assert "get_y" in {tool.name for tool in result.tools}
    assert time.process_time() - started < 60  # not 2**40 steps
