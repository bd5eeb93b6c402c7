"""Which annotations of a schema count, and when an argument equals its header."""

from typing import Any

import pytest

from msil_mcp.mcp.faults import HeaderMismatch
from msil_mcp.mcp.param_headers import check_mirrored, mirrored_params


def schema(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


NESTED = schema(
    where=schema(city={"type": "string", "x-mcp-header": "City"}),
    count={"type": "integer", "x-mcp-header": "Count"},
    express={"type": "boolean", "x-mcp-header": "Express"},
)


@pytest.mark.parametrize(
    "bad",
    [
        schema(a={"type": "number", "x-mcp-header": "A"}),
        schema(a={"x-mcp-header": "A"}),
        schema(a={"type": "string", "x-mcp-header": "no token"}),
        schema(a={"type": "string", "x-mcp-header": ""}),
        schema(a={"type": "string", "x-mcp-header": 7}),
        schema(
            a={"type": "string", "x-mcp-header": "A"}, b={"type": "string", "x-mcp-header": "a"}
        ),
    ],
)
def test_a_schema_with_a_wrong_annotation_mirrors_nothing(bad: dict[str, Any]) -> None:
    assert mirrored_params(bad) == ()


def test_annotations_are_found_below_objects() -> None:
    assert {param.header for param in mirrored_params(NESTED)} == {
        "mcp-param-city",
        "mcp-param-count",
        "mcp-param-express",
    }


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({}, {}),
        ({"where": {"city": None}}, {}),
        ({"where": {"city": "Pune"}}, {"mcp-param-city": "Pune"}),
        ({"where": "not an object"}, {}),
        ({"count": 42}, {"mcp-param-count": "42.0"}),
        ({"count": 2**80}, {"mcp-param-count": str(2**80)}),
        ({"express": True}, {"mcp-param-express": "true"}),
        ({"count": [1]}, {}),
    ],
)
def test_equal_arguments_and_headers_pass(
    arguments: dict[str, Any], headers: dict[str, str]
) -> None:
    check_mirrored(mirrored_params(NESTED), arguments, headers)


@pytest.mark.parametrize(
    ("arguments", "headers"),
    [
        ({"count": 42}, {"mcp-param-count": "42.5"}),
        ({"count": 42}, {"mcp-param-count": "4.2e1"}),
        ({"express": True}, {"mcp-param-express": "True"}),
        ({"where": {"city": "Pune"}}, {"mcp-param-city": "pune"}),
        ({"where": {"city": "Pune"}}, {"mcp-param-city": "=?base64?UHVuZR==?="}),
        ({"where": {"city": "Pune"}}, {"mcp-param-city": "=?base64?/w==?="}),
        ({"count": [1]}, {"mcp-param-count": "1"}),
    ],
)
def test_unequal_ones_do_not(arguments: dict[str, Any], headers: dict[str, str]) -> None:
    with pytest.raises(HeaderMismatch):
        check_mirrored(mirrored_params(NESTED), arguments, headers)
