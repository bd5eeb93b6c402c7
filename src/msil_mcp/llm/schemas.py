"""JSON Schema as every provider takes it: an object at the top, plain keywords, no surprises.

What a provider may refuse is reworded in the description, where a model reads it; the invoker
checks the arguments against the tool's own schema in any case.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from msil_mcp.llm.tool_names import property_names

Schema = Mapping[str, Any]

MAX_DEPTH: Final = 24
_KEPT: Final = frozenset(
    {"type", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems"}
)
_SAID: Final[Mapping[str, str]] = {
    "pattern": "Pattern: {}.",
    "format": "Format: {}.",
    "exclusiveMinimum": "Greater than {}.",
    "exclusiveMaximum": "Less than {}.",
    "multipleOf": "A multiple of {}.",
    "uniqueItems": "Items must differ.",
    "minProperties": "At least {} properties.",
    "maxProperties": "At most {} properties.",
    "contentEncoding": "Encoded as {}.",
    "contentMediaType": "Media type {}.",
    "deprecated": "Deprecated.",
    "default": "Default: {}.",
    "dependentRequired": "Properties that need others: {}.",
    "patternProperties": "Further properties by pattern: {}.",
    "dependentSchemas": "Depending on which properties are given: {}.",
    "propertyNames": "Property names: {}.",
    "contains": "Must contain: {}.",
    "not": "Must not match: {}.",
    "if": "Condition: {}.",
    "then": "If it holds: {}.",
    "else": "Otherwise: {}.",
}
_LONGEST_REMARK: Final = 300
_CHOICES: Final = ("anyOf", "oneOf")


@dataclass(slots=True)
class Renaming:
    """New property names and what they stand for, through objects and lists."""

    names: dict[str, str] = field(default_factory=dict)
    members: dict[str, "Renaming"] = field(default_factory=dict)
    items: "Renaming | None" = None

    @property
    def is_needed(self) -> bool:
        """Whether anything was renamed."""
        inner = [*self.members.values(), *([self.items] if self.items else [])]
        return any(new != old for new, old in self.names.items()) or any(
            member.is_needed for member in inner
        )

    def restore(self, value: Any) -> Any:
        """Arguments under the tool's own names."""
        if isinstance(value, Mapping):
            return {
                self.names.get(name, name): self.members[name].restore(member)
                if name in self.members
                else member
                for name, member in value.items()
            }
        if isinstance(value, list) and self.items is not None:
            return [self.items.restore(item) for item in value]
        return value

    def apply(self, value: Any) -> Any:
        """The tool's own arguments under the names a model sees."""
        if isinstance(value, Mapping):
            shown = {old: new for new, old in self.names.items()}
            return {
                (new := shown.get(name, name)): self.members[new].apply(member)
                if new in self.members
                else member
                for name, member in value.items()
            }
        if isinstance(value, list) and self.items is not None:
            return [self.items.apply(item) for item in value]
        return value


def convert_schema(schema: Schema) -> tuple[dict[str, Any], Renaming]:
    """The schema a model sees, and how to read its arguments.

    References are written out; where they go round in a circle, the inner one accepts any object.
    """
    converter = _Converter(schema.get("$defs", {}))
    renaming = Renaming()
    converted = converter.convert(schema, renaming, (), 0)
    if converted.get("type") != "object" or _has_choices(converted):
        converted = _as_object(converted)
    converted.setdefault("properties", {})
    return converted, renaming


def _has_choices(schema: Schema) -> bool:
    return any(keyword in schema for keyword in (*_CHOICES, "enum"))


def _as_object(schema: Schema) -> dict[str, Any]:
    """Top-level alternatives of objects become one object with the properties of them all."""
    properties: dict[str, Any] = dict(schema.get("properties", {}))
    required: list[set[str]] = []
    for branch in schema.get("anyOf", ()):
        for name, member in branch.get("properties", {}).items():
            properties.setdefault(name, member)
        required.append(set(branch.get("required", ())))
    always = set(schema.get("required", ())) | (set.intersection(*required) if required else set())
    result: dict[str, Any] = {"type": "object", "properties": properties}
    if always:
        result["required"] = sorted(always)
    if "description" in schema:
        result["description"] = schema["description"]
    return result


class _Converter:
    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions

    def convert(
        self, schema: Any, renaming: Renaming, path: tuple[str, ...], depth: int
    ) -> dict[str, Any]:
        if not isinstance(schema, Mapping) or depth > MAX_DEPTH:
            return {}
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._referenced(schema, reference, renaming, path, depth)
        if branches := schema.get("allOf"):
            schema = _merged(schema, [self._resolved(branch, path) for branch in branches])
        result = {key: value for key, value in schema.items() if key in _KEPT}
        if "const" in schema:
            result["enum"] = [schema["const"]]
        self._typed(result)
        self._structured(result, schema, renaming, path, depth)
        if described := _described(schema):
            result["description"] = described
        return result

    def _typed(self, result: dict[str, Any]) -> None:
        """A list of types becomes alternatives, and an enumeration gets its type."""
        types = result.get("type")
        if isinstance(types, list):
            del result["type"]
            if len(types) == 1:
                result["type"] = types[0]
            else:
                rest = {key: result.pop(key) for key in list(result)}
                kept = {key: value for key, value in rest.items() if key != "enum"}
                result["anyOf"] = [_branch(kind, kept, rest.get("enum")) for kind in types]
        elif types is None and all(isinstance(value, str) for value in result.get("enum", (0,))):
            result["type"] = "string"

    def _structured(
        self,
        result: dict[str, Any],
        schema: Schema,
        renaming: Renaming,
        path: tuple[str, ...],
        depth: int,
    ) -> None:
        if isinstance(properties := schema.get("properties"), Mapping):
            holder = _branch_of(result, "object")
            names = property_names(properties)
            shown: dict[str, Any] = {}
            for own, member in properties.items():
                inner = Renaming()
                shown[names[own]] = self.convert(member, inner, path, depth + 1)
                renaming.names[names[own]] = own
                renaming.members[names[own]] = inner
            holder["properties"] = shown
            required = [names[own] for own in schema.get("required", ()) if own in names]
            if required:
                holder["required"] = required
        if schema.get("additionalProperties") is False:
            _branch_of(result, "object")["additionalProperties"] = False
        items = schema.get("items")
        if items is None and isinstance(schema.get("prefixItems"), list):
            items = {"anyOf": schema["prefixItems"]}
        holder = _branch_of(result, "array")
        if items is not None or holder.get("type") == "array":
            renaming.items = Renaming()
            holder["items"] = self.convert(items, renaming.items, path, depth + 1)
        for keyword in _CHOICES:
            if isinstance(branches := schema.get(keyword), list):
                # Renamed alike in every branch: a name is what it is because of its letters.
                result["anyOf"] = [
                    self.convert(branch, renaming, path, depth + 1) for branch in branches
                ]

    def _referenced(
        self,
        schema: Schema,
        reference: str,
        renaming: Renaming,
        path: tuple[str, ...],
        depth: int,
    ) -> dict[str, Any]:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        name = reference.removeprefix("#/$defs/")
        if name in path:
            remark = f"Like the {name} it is part of."
            return {"type": "object", "description": remark}
        target = self._definitions.get(name, {})
        merged = _merged(beside, [target]) if beside and isinstance(target, Mapping) else target
        return self.convert(merged, renaming, (*path, name), depth + 1)

    def _resolved(self, schema: Any, path: tuple[str, ...]) -> Any:
        reference = schema.get("$ref") if isinstance(schema, Mapping) else None
        if not isinstance(reference, str):
            return schema
        name = reference.removeprefix("#/$defs/")
        return {} if name in path else self._definitions.get(name, {})


def _branch_of(result: dict[str, Any], kind: str) -> dict[str, Any]:
    """Where properties or items belong: the schema itself, or its alternative of that type."""
    branches: list[dict[str, Any]] = result.get("anyOf", [])
    return next((branch for branch in branches if branch.get("type") == kind), result)


def _branch(kind: str, rest: Schema, enum: list[Any] | None) -> dict[str, Any]:
    branch: dict[str, Any] = {"type": kind}
    if kind != "null":
        branch |= rest
        if enum is not None:
            branch["enum"] = [value for value in enum if value is not None]
    return branch


def _merged(schema: Schema, branches: list[Any]) -> dict[str, Any]:
    """An allOf as one schema: properties and requirements add up, the first word counts."""
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for branch in branches:
        if not isinstance(branch, Mapping):
            continue
        for keyword, value in branch.items():
            if keyword == "properties" and isinstance(value, Mapping):
                merged["properties"] = {**value, **merged.get("properties", {})}
            elif keyword == "required":
                merged["required"] = list(dict.fromkeys([*merged.get("required", ()), *value]))
            elif keyword == "allOf":
                merged["allOf"] = [*merged.get("allOf", ()), *value]
            else:
                merged.setdefault(keyword, value)
    return merged


def _described(schema: Schema) -> str:
    """The description, with what the other keywords say in words."""
    remarks = [str(schema.get("description") or schema.get("title") or "").strip()]
    for keyword, sentence in _SAID.items():
        value = schema.get(keyword)
        if keyword not in schema or value is False:
            continue
        shown = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if len(shown) <= _LONGEST_REMARK:
            remarks.append(sentence.format(shown) if "{}" in sentence else sentence)
    return " ".join(remark for remark in remarks if remark)
