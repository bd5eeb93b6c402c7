"""What an operation of an OpenAPI document takes and gives, in lines a person can read."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Document = Mapping[str, Any]
Schema = Mapping[str, Any]


class Field(NamedTuple):
    """One thing to send, or one that comes back."""

    name: str
    place: str
    kind: str
    required: bool
    meaning: str


def taken(operation: Document, document: Document) -> list[Field]:
    """Parameters, then the members of the body."""
    parameters = [
        Field(
            parameter["name"],
            parameter["in"],
            kind_of(parameter.get("schema", {})),
            parameter.get("required", False),
            parameter.get("description", ""),
        )
        for parameter in operation.get("parameters", ())
    ]
    body = _json_of(operation.get("requestBody", {}).get("content", {}))
    return [*parameters, *_members(body, document, place="body")]


def given(operation: Document, document: Document) -> list[Field]:
    """The members of the answer when all goes well."""
    for status, response in operation.get("responses", {}).items():
        if status.startswith("2"):
            return list(_members(_json_of(response.get("content", {})), document, place="answer"))
    return []


def kind_of(schema: Schema) -> str:
    """A schema's type in a word or two: `string`, `list of RoleView`, `integer or null`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind_of(alternative) for alternative in alternatives))
    if "const" in schema:
        return f"{schema['const']!r}"
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}))}"
    if (more := schema.get("additionalProperties")) and isinstance(more, dict):
        return f"object of {kind_of(more)}"
    kind = schema.get("type", "anything")
    return str(schema.get("format", kind) if kind == "string" else kind)


def _json_of(content: Document) -> Schema:
    found: Schema = content.get("application/json", {}).get("schema", {})
    return found


def _members(schema: Schema, document: Document, *, place: str) -> Iterator[Field]:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        schema = document["components"]["schemas"][name]
    required = schema.get("required", ())
    for name, member in schema.get("properties", {}).items():
        yield Field(name, place, kind_of(member), name in required, member.get("description", ""))
