"""Tools as providers take them: names, schemas, and the most relevant 128."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msil_mcp.llm.schemas import convert_schema
from msil_mcp.llm.scripted.checks import TOOL_NAME, check_request
from msil_mcp.llm.scripted.wire import ChatRequest, Message, Tool, ToolFunction
from msil_mcp.llm.tool_names import tool_names
from msil_mcp.llm.tools import ToolSpec, ToolTable
from talking import operation_schemas

KEYWORDS = {
    "type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems",
    "properties", "required", "items", "anyOf", "description", "additionalProperties",
}  # fmt: skip


def spec(name: str, schema: dict[str, Any] | None = None, *, about: str = "") -> ToolSpec:
    return ToolSpec(name=name, description=about, input_schema=schema or {"type": "object"})


def keywords(schema: Any, *, names: bool = False) -> set[str]:
    if isinstance(schema, list):
        return {found for each in schema for found in keywords(each)}
    if not isinstance(schema, dict):
        return set()
    inner = {
        found
        for key, value in schema.items()
        if key != "enum"
        for found in keywords(value, names=not names and key == "properties")
    }
    return inner if names else inner | set(schema)


def test_names_are_accepted_and_told_apart() -> None:
    own = ["plain", "has space", "has_space", "a.b", "a/b", "क" * 9, "x" * 65, "x" * 66]
    names = tool_names(own)
    assert names["plain"] == "plain"
    assert len(set(names.values())) == len(own)
    assert all(TOOL_NAME.fullmatch(name) for name in names.values())
    assert names == tool_names(own)


@given(st.sets(st.text(min_size=1, max_size=90), max_size=30))
def test_any_names_become_as_many_accepted_ones(own: set[str]) -> None:
    names = tool_names(own)
    assert len(set(names.values())) == len(own)
    assert all(TOOL_NAME.fullmatch(name) for name in names.values())


def test_the_six_operations_convert_and_are_accepted() -> None:
    table = ToolTable(
        ToolSpec(name=name, description=about, input_schema=schema)
        for name, (about, schema) in operation_schemas().items()
    )
    tools = [
        Tool(ToolFunction(tool.name, tool.description, tool.parameters, strict=False))
        for tool in table.offer()
    ]
    check_request(ChatRequest("m", [Message("user", "hi")], tools=tools))
    for tool in table.offer():
        assert keywords(tool.parameters) <= KEYWORDS
        jsonschema_rs.validator_for(tool.parameters)
    create = table.tool("create_service_booking")
    assert create is not None
    mobile = create.parameters["properties"]["customer_mobile"]
    assert "Never guess it" in mobile["description"]
    assert "Pattern:" in mobile["description"]
    assert create.parameters["properties"]["service_type"]["enum"] == [
        "regular",
        "express",
        "body_repair",
    ]


def test_references_are_written_out_and_circles_end() -> None:
    schema = {
        "type": "object",
        "properties": {"root": {"$ref": "#/$defs/Node", "description": "The first."}},
        "$defs": {
            "Node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "children": {"type": "array", "items": {"$ref": "#/$defs/Node"}},
                },
                "required": ["name"],
            }
        },
    }
    converted, _ = convert_schema(schema)
    assert converted["properties"]["root"] == {
        "type": "object",
        "description": "The first.",
        "properties": {
            "name": {"type": "string"},
            "children": {
                "type": "array",
                "items": {"type": "object", "description": "Like the Node it is part of."},
            },
        },
        "required": ["name"],
    }


def test_alternatives_at_the_top_become_one_object() -> None:
    schema = {
        "oneOf": [
            {"type": "object", "properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]},
            {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]},
        ]
    }
    converted, _ = convert_schema(schema)
    assert converted == {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {}},
        "required": ["a"],
    }


def test_what_providers_refuse_is_said_in_words() -> None:
    schema = {
        "type": "object",
        "properties": {
            "when": {"type": ["string", "null"], "format": "date", "default": "2026-01-01"},
            "kind": {"const": "car"},
            "both": {"allOf": [{"type": "object", "properties": {"x": {"type": "integer"}}},
                               {"properties": {"y": {"type": "integer"}}, "required": ["y"]}]},
            "pair": {"type": "array", "prefixItems": [{"type": "string"}], "uniqueItems": True},
        },
        "dependentRequired": {"when": ["kind"]},
    }  # fmt: skip
    converted, _ = convert_schema(schema)
    assert keywords(converted) <= KEYWORDS
    properties = converted["properties"]
    assert properties["when"] == {
        "anyOf": [{"type": "string"}, {"type": "null"}],
        "description": "Format: date. Default: 2026-01-01.",
    }
    assert properties["kind"] == {"enum": ["car"], "type": "string"}
    assert properties["both"]["required"] == ["y"]
    assert set(properties["both"]["properties"]) == {"x", "y"}
    assert properties["pair"]["description"] == "Items must differ."
    assert "when" in converted["description"]


def test_property_names_providers_refuse_find_their_way_back() -> None:
    schema = {
        "type": "object",
        "properties": {
            "filter[name]": {"type": "string"},
            "plain": {
                "type": "array",
                "items": {"type": "object", "properties": {"x y": {"type": "integer"}}},
            },
        },
        "required": ["filter[name]"],
    }
    table = ToolTable([spec("find", schema)])
    [tool] = table.offer()
    [renamed] = set(tool.parameters["properties"]) - {"plain"}
    [inner] = tool.parameters["properties"]["plain"]["items"]["properties"]
    assert tool.parameters["required"] == [renamed]
    shown, own = {renamed: "a", "plain": [{inner: 1}]}, {"filter[name]": "a", "plain": [{"x y": 1}]}
    assert tool.own_arguments(shown) == own
    assert tool.shown_arguments(own) == shown


def many() -> ToolTable:
    subjects = ["invoice", "warranty", "dealer", "holiday", "parts"]
    return ToolTable(
        spec(f"{verb}_{subject}_{n}", about=f"{verb.capitalize()} {subject} records")
        for subject in subjects
        for verb in ("list", "update")
        for n in range(31)
    )


def test_of_many_tools_128_are_offered_and_the_used_ones_stay() -> None:
    table = many()
    assert len(table) == 310
    offered = table.offer(
        conversation="My warranty claim: show the warranties", used=["update_holiday_7"]
    )
    names = [tool.own_name for tool in offered]
    assert len(names) == 128
    assert "update_holiday_7" in names
    assert sum("warranty" in name for name in names) == 62
    assert names == sorted(names)
    assert len(table.offer(conversation="")) == 128


def test_a_few_tools_are_always_offered_alike() -> None:
    table = ToolTable([spec("b"), spec("a")])
    assert [tool.name for tool in table.offer(conversation="b b")] == ["a", "b"]
    assert table.offer(conversation="x") == table.offer()


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"properties": {}}, {"type": "array"}])
def test_every_schema_ends_up_an_object(schema: dict[str, Any]) -> None:
    converted, _ = convert_schema(schema)
    assert converted["type"] == "object"
    assert converted["properties"] == {}


schemas = st.recursive(
    st.sampled_from(
        [
            {"type": "string", "pattern": "^a"},
            {"type": ["integer", "null"], "minimum": 1},
            {"enum": ["a", None, 3]},
            {"$ref": "#/$defs/Round"},
            {"const": {"a": 1}},
            {"not": {"type": "string"}},
            True,
        ]
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.text(min_size=1, max_size=70), inner, max_size=3),
            }
        ),
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=8,
)


@given(schemas)
def test_any_schema_becomes_one_that_providers_take(schema: Any) -> None:
    inner = schema if isinstance(schema, dict) else {"type": "object"}
    round_about = {"type": "object", "properties": {"again": {"$ref": "#/$defs/Round"}}}
    table = ToolTable([spec("any", inner | {"$defs": {"Round": round_about}})])
    [tool] = table.offer()
    assert keywords(tool.parameters) <= KEYWORDS
    offered = [Tool(ToolFunction(tool.name, tool.description, tool.parameters))]
    check_request(ChatRequest("m", [Message("user", "hi")], tools=offered))
    jsonschema_rs.validator_for(tool.parameters)
