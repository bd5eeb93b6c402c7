"""What changed between two definitions, and what it means for callers."""

from typing import Any

import msgspec
import pytest

from msil_mcp.openapi.definitions import ToolDefinition, define_tools
from msil_mcp.openapi.document import parse_document
from msil_mcp.tools.differences import differences
from tools.documents import garage


def definition(**extra: Any) -> ToolDefinition:
    raw = msgspec.json.encode(garage(get_lift=extra))
    return define_tools(parse_document(raw, source="test")).tools[0]


def with_schema(**schema: Any) -> ToolDefinition:
    parameter = {"name": "floor", "in": "query", "schema": schema}
    return definition(parameters=[parameter])


@pytest.mark.parametrize(
    ("before", "after", "impact"),
    [
        ({"type": "integer"}, {"type": "string"}, "breaking"),
        ({"type": "string", "enum": ["a"]}, {"type": "string", "enum": ["a", "b"]}, "compatible"),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a"]}, "breaking"),
        ({"type": "string"}, {"type": "string", "maxLength": 3}, "breaking"),
        ({"type": "string", "maxLength": 3}, {"type": "string"}, "compatible"),
        ({"type": "string"}, {"type": "string", "description": "Which"}, "wording"),
        ({"type": "integer", "default": 1}, {"type": "integer", "default": 2}, "behaviour"),
    ],
)
def test_a_change_of_an_argument_is_judged(
    before: dict[str, Any], after: dict[str, Any], impact: str
) -> None:
    found = differences(with_schema(**before), with_schema(**after))
    assert [one.impact for one in found] == [impact]
    assert found[0].pointer.startswith("/input_schema/properties/floor")


def test_the_same_definition_has_no_differences() -> None:
    assert differences(definition(), definition()) == []


def test_where_a_call_goes_is_a_difference() -> None:
    [found] = differences(
        definition(), definition(), origins=("https://one.example", "https://two.example")
    )
    assert (found.pointer, found.impact, found.after) == (
        "/base_url", "behaviour", "https://two.example",
    )  # fmt: skip


def test_an_argument_named_like_a_text_is_still_an_argument() -> None:
    without = definition(parameters=[])
    named = definition(
        parameters=[{"name": "description", "in": "query", "schema": {"type": "string"}}]
    )
    [found] = differences(named, without)
    assert (found.pointer, found.impact) == ("/input_schema/properties/description", "breaking")
