"""Questions about translated schemas: what they refer to, what they accept, what they cost."""

from collections.abc import Callable, Iterator
from typing import Any

from msil_mcp.openapi.errors import OperationProblem, SchemaError
from msil_mcp.openapi.keywords import ONE_SCHEMA, SCHEMA_LIST, SCHEMA_MAP
from msil_mcp.openapi.validation import compile_validator

JsonSchema = dict[str, Any] | bool

MOST_WAYS = 10_000
_LOCAL = "#/$defs/"
_IN_PLACE = ("not", "if", "then", "else")
_IN_PLACE_LISTS = ("allOf", "anyOf", "oneOf")


def local_reference(name: str) -> str:
    """The `$ref` of a definition."""
    return _LOCAL + name


def local_name(reference: str) -> str:
    """The definition a local `$ref` names."""
    return reference.removeprefix(_LOCAL)


def references(schema: Any) -> Iterator[str]:
    """Names of the definitions a schema refers to, without those these refer to in turn."""
    if not isinstance(schema, dict):
        return
    if isinstance(reference := schema.get("$ref"), str):
        yield local_name(reference)
    for keyword, value in schema.items():
        if keyword in SCHEMA_MAP:
            for member in value.values():
                yield from references(member)
        elif keyword in SCHEMA_LIST:
            for branch in value:
                yield from references(branch)
        elif keyword in ONE_SCHEMA:
            yield from references(value)


def is_object(schema: JsonSchema, *, definition: Callable[[str], JsonSchema]) -> bool:
    """Whether every value the schema accepts is an object."""
    known: dict[str, bool] = {}

    def decide(part: JsonSchema) -> bool:
        if isinstance(part, bool):
            return False
        if "type" in part:
            return part["type"] in ("object", ["object"])
        if "properties" in part:  # nobody means numbers by that
            return True
        if "$ref" in part and decide_named(local_name(part["$ref"])):
            return True
        if any(map(decide, part.get("allOf", ()))):
            return True
        choices = part.get("oneOf") or part.get("anyOf") or []
        return bool(choices) and all(map(decide, choices))

    def decide_named(name: str) -> bool:
        if name not in known:
            known[name] = False  # a schema that refers to itself alone accepts anything
            known[name] = decide(definition(name))
        return known[name]

    return decide(schema)


def check_usable(schema: dict[str, Any], *, pointer: str) -> None:
    """Raise OperationProblem unless the schema compiles and can be checked in reasonable time."""
    definitions = schema.get("$defs", {})
    known: dict[str, int] = {}

    def ways(part: Any) -> int:
        """How often one value is looked at: schemas that combine others multiply."""
        if not isinstance(part, dict):
            return 1
        total = 1
        if "$ref" in part:
            total += ways_of_named(local_name(part["$ref"]))
        for keyword in _IN_PLACE:
            total += ways(part[keyword]) if keyword in part else 0
        for keyword in _IN_PLACE_LISTS:
            total += sum(map(ways, part.get(keyword, ())))
        return total + sum(map(ways, part.get("dependentSchemas", {}).values()))

    def ways_of_named(name: str) -> int:
        if name not in known:
            known[name] = 1  # in a circle each goes round once
            known[name] = ways(definitions.get(name))
        return known[name]

    if max(ways(schema), *map(ways_of_named, definitions), 1) > MOST_WAYS:
        raise OperationProblem(
            f"its schemas combine in more than {MOST_WAYS:,} ways; flatten them", pointer=pointer
        )
    try:
        compile_validator(schema)
    except SchemaError as error:
        raise OperationProblem(str(error), pointer=pointer) from error
