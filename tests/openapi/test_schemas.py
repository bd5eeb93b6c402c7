"""Schemas as a model sees them: JSON Schema 2020-12, small, and true to the document."""

from typing import Any

import pytest

from msil_mcp.openapi.validation import compile_validator
from openapi.documents import answer, imported, json_body, one_tool, parameter


def input_of(schema: Any, *, version: str = "3.1.0", **schemas: Any) -> dict[str, Any]:
    """The input schema of a tool with one argument `it`."""
    operation = json_body({"type": "object", "properties": {"it": schema}, "required": ["it"]})
    tool = one_tool(operation, method="post", version=version, components={"schemas": schemas})
    assert tool.input_schema["required"] == ["it"]
    return tool.input_schema


def argument(schema: Any, *, version: str = "3.1.0", **schemas: Any) -> Any:
    return input_of(schema, version=version, **schemas)["properties"]["it"]


def output_of(schema: Any, *, version: str = "3.1.0", **schemas: Any) -> dict[str, Any] | None:
    tool = one_tool(answer(schema), version=version, components={"schemas": schemas})
    return tool.output_schema


def test_what_constrains_a_value_is_kept() -> None:
    schema = {
        "type": "string",
        "description": "A plate.",
        "enum": ["a", "b"],
        "format": "date",
        "pattern": "^[ab]$",
        "minLength": 1,
        "maxLength": 2,
        "default": "a",
    }
    assert argument(schema) == schema


def test_what_only_people_need_is_dropped() -> None:
    noise = {
        "example": "x",
        "examples": ["x"],
        "xml": {"name": "x"},
        "externalDocs": {"url": "https://example.com"},
        "discriminator": {"propertyName": "x"},
        "x-internal": True,
        "x-msil-pii": "phone",
        "$comment": "x",
        "title": "It",
    }
    assert argument({"type": "string"} | noise) == {"type": "string"}


def test_properties_called_like_keywords_survive() -> None:
    members = {name: {"type": "string"} for name in ("example", "x-id", "$ref", "title", "id")}
    assert argument({"type": "object", "properties": members})["properties"] == members


def test_title_that_says_more_than_the_name_is_kept_without_a_description() -> None:
    assert argument({"title": "Vehicle plate"}) == {"title": "Vehicle plate"}
    assert argument({"title": "Vehicle plate", "description": "d"}) == {"description": "d"}


@pytest.mark.parametrize(
    ("schema", "translated"),
    [
        ({"type": "string", "nullable": True}, {"type": ["string", "null"]}),
        (
            {"type": "string", "enum": ["a"], "nullable": True},
            {"type": ["string", "null"], "enum": ["a", None]},
        ),
        (
            {"allOf": [{"type": "string"}], "nullable": True, "description": "d"},
            {"anyOf": [{"allOf": [{"type": "string"}]}, {"type": "null"}], "description": "d"},
        ),
        ({"nullable": True}, {}),
        ({"type": "integer", "minimum": 1, "exclusiveMinimum": True},
         {"type": "integer", "exclusiveMinimum": 1}),
        ({"type": "integer", "maximum": 9, "exclusiveMaximum": False},
         {"type": "integer", "maximum": 9}),
    ],
)  # fmt: skip
def test_flags_of_3_0_become_2020_12(schema: Any, translated: Any) -> None:
    assert argument(schema, version="3.0.3") == translated


def test_siblings_of_a_reference_apply_in_3_1_only() -> None:
    schema = {"$ref": "#/components/schemas/Plate", "description": "d", "maxLength": 4}
    plate = {"type": "string"}
    reference = {"$ref": "#/$defs/Plate", "description": "d"}
    assert argument(schema, Plate=plate) == reference | {"maxLength": 4}
    assert argument(schema, version="3.0.0", Plate=plate) == reference


def test_shared_schemas_stay_shared_and_unused_ones_are_left_out() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"$ref": "#/components/schemas/Plate"},
            "b": {"$ref": "#/components/schemas/Plate"},
        },
    }
    found = input_of(schema, Plate={"type": "string"}, Unused={"type": "integer"})
    assert found["$defs"] == {"Plate": {"type": "string"}}


def test_recursive_schemas_stay_references() -> None:
    node = {
        "type": "object",
        "properties": {"next": {"$ref": "#/components/schemas/Node"}, "v": {"type": "integer"}},
    }
    found = input_of({"$ref": "#/components/schemas/Node"}, Node=node)
    validator = compile_validator(found)
    assert found["$defs"]["Node"]["properties"]["next"] == {"$ref": "#/$defs/Node"}
    assert validator.is_valid({"it": {"next": {"next": {"v": 1}}}})
    assert not validator.is_valid({"it": {"next": {"next": {"v": "x"}}}})


def test_references_to_any_place_of_the_document_are_followed() -> None:
    inner = {"type": "object", "properties": {"a b": {"type": "integer"}}}
    found = input_of({"$ref": "#/components/schemas/Outer/properties/a%20b"}, Outer=inner)
    (name,) = found["$defs"]
    assert found["properties"]["it"] == {"$ref": f"#/$defs/{name}"}
    assert compile_validator(found).is_valid({"it": 1})
    assert not compile_validator(found).is_valid({"it": "x"})


def test_inputs_have_no_read_only_members_and_results_no_write_only_ones() -> None:
    schema = {
        "type": "object",
        "properties": {
            "id": {"type": "string", "readOnly": True},
            "secret": {"type": "string", "writeOnly": True},
            "stamp": {"$ref": "#/components/schemas/Stamp"},
            "name": {"type": "string"},
        },
        "required": ["id", "secret", "stamp", "name"],
    }
    stamp = {"type": "string", "readOnly": True}
    given = argument(schema, Stamp=stamp)
    assert set(given["properties"]) == {"secret", "name"}
    assert given["required"] == ["secret", "name"]
    returned = output_of(schema, Stamp=stamp)
    assert returned is not None
    assert set(returned["properties"]) == {"id", "stamp", "name"}
    assert returned["required"] == ["id", "stamp", "name"]


def test_member_hidden_by_one_branch_is_not_required_by_another() -> None:
    base = {"type": "object", "properties": {"id": {"type": "string", "readOnly": True}}}
    schema = {"allOf": [{"$ref": "#/components/schemas/Base"}, {"required": ["id"]}]}
    found = input_of({"type": "array", "items": schema}, Base=base)
    compile_validator(found).validate({"it": [{}]})


def test_pattern_that_cannot_be_compiled_is_dropped_and_told() -> None:
    operation = {"parameters": [parameter("it", schema={"type": "string", "pattern": "[a-"})]}
    result = imported({"/x": {"get": operation}})
    assert result.tools[0].input_schema["properties"]["it"] == {"type": "string"}
    (verdict,) = result.verdicts
    assert verdict.outcome == "degraded"
    assert verdict.pointer == "/paths/~1x/get/parameters/0/schema/pattern"
    assert "cannot be compiled" in verdict.reason


@pytest.mark.parametrize(
    ("schema", "kept"),
    [
        ({"type": "file"}, {}),
        ({"type": "string", "minLength": "1"}, {"type": "string"}),
        ({"type": "object", "required": True}, {"type": "object"}),
        ({"type": "string", "enum": []}, {"type": "string"}),
        ({"type": "string", "enum": "a"}, {"type": "string"}),
        ({"multipleOf": 0}, {}),
        ({"allOf": {}}, {}),
        ({"properties": []}, {}),
        ("string", {}),
    ],
)
def test_keyword_with_an_impossible_value_is_left_out_and_told(schema: Any, kept: Any) -> None:
    operation = {"parameters": [parameter("it", schema=schema)]}
    result = imported({"/x": {"get": operation}})
    assert result.tools[0].input_schema["properties"]["it"] == kept
    assert [verdict.outcome for verdict in result.verdicts] == ["degraded"]


def test_schema_that_refers_to_nothing_is_left_open_and_told() -> None:
    body = {"type": "object", "properties": {"a": {"$ref": "#/components/schemas/Gone"}}}
    result = imported({"/x": {"post": json_body(body)}})
    assert result.tools[0].input_schema["properties"]["a"] is True
    (verdict,) = result.verdicts
    assert verdict.outcome == "degraded"
    assert "`#/components/schemas/Gone`, which the document does not have" in verdict.reason


def test_external_reference_in_the_arguments_rejects_the_operation() -> None:
    body = {"type": "object", "properties": {"a": {"$ref": "common.yaml#/Address"}}}
    result = imported({"/x": {"post": json_body(body)}, "/y": {"get": {}}})
    assert [tool.name for tool in result.tools] == ["get_y"]
    verdict = result.verdicts[0]
    assert verdict.outcome == "rejected"
    assert verdict.pointer.endswith("/properties/a")
    assert "refers to `common.yaml#/Address` outside this document" in verdict.reason


def test_external_reference_in_the_result_costs_only_its_schema() -> None:
    operation = answer({"type": "object", "properties": {"a": {"$ref": "https://a.example/b"}}})
    result = imported({"/x": {"get": operation}})
    assert result.tools[0].output_schema is None
    assert result.verdicts[0].outcome == "degraded"


def test_invisible_characters_never_reach_a_model() -> None:
    text = "Book\u202e a\u200b car\u2066.\U000e0041 क्\u200dष\n\nEnd\x07"
    tool = one_tool({"description": text, "parameters": [parameter("a", description=text)]})
    assert tool.description == "Book a car. क्\u200dष\n\nEnd"
    assert tool.input_schema["properties"]["a"]["description"] == tool.description


def test_result_is_the_first_successful_json_object() -> None:
    operation = {
        "responses": {
            "default": {"content": {"application/json": {"schema": {"type": "object"}}}},
            "201": {"content": {"application/json": {"schema": {"type": "object"}}}},
            "200": {"content": {
                "text/html": {"schema": {"type": "string"}},
                "application/vnd.cars+json; charset=utf-8": {
                    "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}
                },
            }},
        }
    }  # fmt: skip
    assert one_tool(operation).output_schema == {
        "type": "object",
        "properties": {"a": {"type": "integer"}},
    }


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {}},
        {"type": ["object", "null"]},
        {"anyOf": [{"type": "object"}, {"type": "string"}]},
        True,
        {},
    ],
)
def test_result_that_need_not_be_an_object_has_no_schema(schema: Any) -> None:
    assert output_of(schema) is None


def test_result_of_several_object_shapes_is_an_object() -> None:
    dog = {"type": "object", "properties": {"bark": {"type": "string"}}}
    cat = {"allOf": [{"$ref": "#/components/schemas/Dog"}]}
    schema = {"oneOf": [{"$ref": "#/components/schemas/Dog"}, {"$ref": "#/components/schemas/Cat"}]}
    found = output_of(schema, Dog=dog, Cat=cat)
    assert found is not None
    assert found["type"] == "object"
    assert set(found["$defs"]) == {"Dog", "Cat"}


def test_result_behind_references_is_spelled_out_at_the_root() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Node"}}}
    found = output_of({"$ref": "#/components/schemas/Node"}, Node=node)
    assert found is not None
    assert found["type"] == "object"
    assert found["$defs"]["Node"]["properties"]["next"] == {"$ref": "#/$defs/Node"}


def test_definitions_beyond_the_budget_are_left_open_and_told() -> None:
    big = {"type": "object", "properties": {f"p{n}": {"type": "string"} for n in range(2000)}}
    schema = {
        "type": "object",
        "properties": {
            "big": {"$ref": "#/components/schemas/Big"},
            "small": {"$ref": "#/components/schemas/Small"},
        },
    }
    components = {"schemas": {"Big": big, "Small": {"type": "integer"}}}
    operation = answer(schema) | json_body(schema)
    result = imported({"/x": {"post": operation}}, components=components)
    (tool,) = result.tools
    for found in (tool.input_schema, tool.output_schema):
        assert found is not None
        assert found["$defs"] == {"Big": {}, "Small": {"type": "integer"}}
    assert [verdict.outcome for verdict in result.verdicts] == ["degraded", "degraded"]
    assert all("left open (Big)" in verdict.reason for verdict in result.verdicts)


def test_endless_nesting_rejects_one_operation() -> None:
    deep: Any = {"type": "string"}
    for _ in range(80):
        deep = {"type": "array", "items": deep}
    result = imported({"/x": {"post": json_body(deep)}, "/y": {"get": {}}})
    assert [tool.name for tool in result.tools] == ["get_y"]
    assert "nested deeper" in result.verdicts[0].reason


def test_schemas_that_refer_to_themselves_end() -> None:
    loops = {
        "A": {"$ref": "#/components/schemas/B"},
        "B": {"$ref": "#/components/schemas/A"},
        "C": {"allOf": [{"$ref": "#/components/schemas/C"}, {"properties": {"id": {
            "readOnly": True}}}]},
    }  # fmt: skip
    paths = {
        f"/{name}": {"post": json_body({"$ref": f"#/components/schemas/{name}"})} for name in loops
    }
    result = imported(paths | {"/ok": {"get": {}}}, components={"schemas": loops})
    assert "get_ok" in [tool.name for tool in result.tools]
    assert {verdict.operation for verdict in result.verdicts} == {
        "POST /A", "POST /B", "POST /C", "GET /ok"
    }  # fmt: skip
