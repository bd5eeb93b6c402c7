"""What a caller is told when the arguments do not fit."""

from typing import Any

import pytest

from msil_mcp.openapi.errors import SchemaError
from msil_mcp.openapi.validation import InvalidArguments, compile_validator, pattern_compiles

BOOKING = {
    "type": "object",
    "properties": {
        "mobile": {"type": "string", "pattern": "^[6-9][0-9]{9}$"},
        "date": {"type": "string", "format": "date"},
        "count": {"type": "integer", "minimum": 1, "maximum": 5},
        "service": {"anyOf": [{"enum": ["regular", "express"]}, {"type": "null"}]},
        "name": {"type": "string", "minLength": 1, "maxLength": 10},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2, "uniqueItems": True},
        "address": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "lines": {"type": "array", "items": {
                "type": "object", "required": ["text"]}}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "exact": {"const": "yes"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "boolean"}]},
        "shape": {"oneOf": [
            {"type": "object", "required": ["radius"], "properties": {
                "radius": {"type": "number", "exclusiveMinimum": 0}}},
            {"type": "object", "required": ["a", "b", "c"]},
        ]},
        "both": {"oneOf": [{"type": "string"}, {"minLength": 1}]},
        "step": {"multipleOf": 5},
        "mail": {"type": "string", "format": "email"},
        "at": {"type": "string", "format": "date-time"},
        "forbidden": False,
        "excluded": {"not": {"const": 1}},
    },
    "required": ["mobile"],
    "dependentRequired": {"date": ["count"]},
    "additionalProperties": False,
}  # fmt: skip
GOOD = {"mobile": "9876543210"}


def problems(arguments: Any, schema: dict[str, Any] = BOOKING) -> tuple[str, ...]:
    with pytest.raises(InvalidArguments) as caught:
        compile_validator(schema).validate(arguments)
    told = tuple(map(str, caught.value.problems))
    assert str(caught.value) == " ".join(told)
    return told


def test_arguments_that_fit_pass() -> None:
    validator = compile_validator(BOOKING)
    validator.validate(GOOD | {"service": None, "count": 2, "date": "2026-01-31", "at":
                               "2026-01-31T10:00:00+05:30"})  # fmt: skip
    assert validator.is_valid(GOOD)


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        ({"mobile": "123"}, "`mobile` must match the pattern ^[6-9][0-9]{9}$."),
        ({"mobile": 9876543210}, "`mobile` must be text."),
        ({"date": "31.01.2026", "count": 1}, "`date` must be a date like 2026-01-31."),
        ({"date": "2026-01-31"}, "`count` is required."),
        ({"count": 9}, "`count` must be at most 5."),
        ({"count": 0}, "`count` must be at least 1."),
        ({"count": "two"}, "`count` must be a whole number."),
        ({"service": "washing"}, '`service` must be one of "regular", "express".'),
        ({"name": ""}, "`name` must not be empty."),
        ({"name": "x" * 11}, "`name` must have at most 10 characters."),
        ({"tags": ["a", "b", "c"]}, "`tags` must have at most 2 items."),
        ({"tags": ["a", "a"]}, "`tags` must not hold the same item twice."),
        ({"tags": ["a", 1]}, "`tags[1]` must be text."),
        ({"address": {}}, "`address.city` is required."),
        ({"address": {"city": "Pune", "zip": "1"}}, "`address.zip` is not a known field;"),
        ({"address": {"city": "Pune", "lines": [{}]}}, "`address.lines[0].text` is required."),
        ({"exact": "no"}, '`exact` must be "yes".'),
        ({"either": "x"}, "`either` must be true or false or a whole number."),
        ({"shape": {"radius": 0}}, "`shape.radius` must be more than 0."),
        ({"both": "x"}, "`both` matches more than one of the forms"),
        ({"step": 7}, "`step` must be a multiple of 5."),
        ({"mail": "nobody"}, "`mail` must be an e-mail address."),
        ({"at": "2026-01-31 10:00"}, "`at` must be a date and time with an offset like"),
        ({"forbidden": 1}, "`forbidden` is not accepted here; remove it."),
        ({"excluded": 1}, "`excluded` has a value the input schema excludes."),
        ({"mobil": "1"}, "`mobil` is not an argument of this tool; did you mean `mobile`?"),
        ({"zzz": "1"}, "`zzz` is not an argument of this tool; it takes `mobile`, `date`"),
    ],
)
def test_problem_names_the_argument_and_what_to_change(
    extra: dict[str, Any], sentence: str
) -> None:
    assert problems(GOOD | extra)[0].startswith(sentence)


def test_missing_argument_is_named() -> None:
    assert problems({}) == ("`mobile` is required.",)


def test_arguments_must_be_an_object() -> None:
    assert problems([]) == ("The arguments must be an object.",)


def test_tool_without_arguments_says_so() -> None:
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    assert problems({"a": 1}, schema) == ("`a` is not an argument of this tool; it takes none.",)


def test_at_most_three_problems_are_told() -> None:
    many = {"count": 9, "name": "", "exact": "no", "step": 7, "either": "x"}
    assert len(problems(GOOD | many)) == 3


def test_values_are_never_echoed() -> None:
    secret = "S3CRET" * 40
    told = " ".join(problems({"mobile": secret, "count": secret, "address": {secret: 1}}))
    assert "S3CRET" * 14 not in told
    told = " ".join(problems({"mobile": "S3CRET", "service": "S3CRET", "mail": "S3CRET"}))
    assert "S3CRET" not in told


def test_long_choices_are_cut() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [f"v{n}" for n in range(100)]}}}
    (sentence,) = problems({"a": "x"}, schema)
    assert sentence.endswith("or 80 more.")


def test_formats_that_documents_use_loosely_are_hints() -> None:
    schema = {"type": "object", "properties": {"at": {"format": "time"}, "x": {"format": "own"}}}
    compile_validator(schema).validate({"at": "10:30", "x": "anything"})


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.com/schema.json"},
        {"$ref": "file:///etc/passwd"},
        {"$ref": "#/$defs/nowhere"},
        {"type": "date"},
        {"pattern": "("},
    ],
)
def test_unusable_schema_is_refused_without_fetching(schema: dict[str, Any]) -> None:
    with pytest.raises(SchemaError, match=r"^The schema cannot be compiled: "):
        compile_validator(schema)


def test_look_around_patterns_are_checked() -> None:
    schema = {"type": "object", "properties": {"a": {"pattern": r"^(?=.*\d)[a-z\d]{4,}$"}}}
    compile_validator(schema).validate({"a": "abc1"})
    assert problems({"a": "abcd"}, schema)


def test_patterns_cannot_stall_a_call() -> None:
    for pattern in (r"^(a+)+$", r"^(a+)+(?=b)$", r"^(a|aa)+(?!x)$"):
        assert pattern_compiles(pattern)
        schema = {"type": "object", "properties": {"a": {"pattern": pattern}}}
        assert problems({"a": "a" * 5000 + "!"}, schema)
