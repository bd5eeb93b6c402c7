"""Schemas of a document as JSON Schema 2020-12, the only dialect a tool speaks.

One Translator serves one document and one direction. A schema of the document that is referred to
becomes a definition, translated once however many tools share it, and stays a reference; `complete`
puts the definitions a tool needs beside its schema. Translated schemas are shared between tools and
must not be changed.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from msil_mcp.openapi.document import Document
from msil_mcp.openapi.errors import OperationProblem, shown
from msil_mcp.openapi.keywords import (
    ONE_SCHEMA,
    PLAIN,
    SCHEMA_LIST,
    SCHEMA_MAP,
    visible_text,
)
from msil_mcp.openapi.one_way import NONE, OneWay
from msil_mcp.openapi.references import at, follow, look_up, target_pointer
from msil_mcp.openapi.shapes import JsonSchema, local_name, local_reference, references
from msil_mcp.openapi.validation import pattern_compiles
from msil_mcp.openapi.verdicts import Note

Direction = Literal["input", "output"]

MAX_DEPTH = 60
_SAFE = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Definition:
    """A translated schema that tools share, with the definitions it refers to in turn."""

    schema: JsonSchema
    notes: tuple[Note, ...]
    references: tuple[str, ...]
    size: int


class Translator:
    """Translates the schemas of one document as tools receive (input) or return (output) them."""

    def __init__(self, document: Document, *, direction: Direction) -> None:
        self._root = document.root
        self._is_pre_json_schema = document.is_pre_json_schema
        self._described = (
            "the arguments are described" if direction == "input" else "the result is described"
        )
        flag = "readOnly" if direction == "input" else "writeOnly"
        self._one_way = OneWay(document.root, flag=flag, is_used=flag.encode() in document.raw)
        self._components = "/definitions" if document.version == "2.0" else "/components/schemas"
        self._sources: dict[str, tuple[str, frozenset[str]]] = {}
        self._definitions: dict[str, Definition] = {}
        self._notes: list[Note] = []

    def translate(
        self, schema: Any, *, pointer: str, hidden: frozenset[str] = NONE
    ) -> tuple[JsonSchema, list[Note]]:
        """One schema, with references left as `#/$defs/…`, and what could not be kept.

        `hidden` are members that a schema around this one hides.

        Raises:
            OperationProblem: A reference leaves the document, the schema itself refers to nothing,
                or the nesting has no end.
        """
        if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
            follow(self._root, schema, pointer=pointer)
        notes: list[Note] = []
        self._notes = notes
        return self._schema(schema, pointer, hidden, 0), notes

    def definition(self, name: str) -> Definition:
        """The definition `#/$defs/{name}` of a translated schema stands for."""
        found = self._definitions.get(name)
        if found is None:
            pointer, hidden = self._sources[name]
            node = look_up(self._root, pointer, reference=f"#{pointer}", pointer=pointer)
            schema, notes = self.translate(node, pointer=pointer, hidden=hidden)
            found = Definition(
                schema=schema,
                notes=tuple(notes),
                references=tuple(sorted(set(references(schema)))),
                size=len(msgspec.json.encode(schema)),
            )
            self._definitions[name] = found
        return found

    def schema_of(self, name: str) -> JsonSchema:
        """The schema of a definition."""
        return self.definition(name).schema

    def expanded(self, schema: JsonSchema, notes: list[Note]) -> JsonSchema:
        """What `schema` stands for where it is nothing but a reference; adds to the notes."""
        for _ in range(MAX_DEPTH):
            if isinstance(schema, bool) or schema.keys() - {"description"} != {"$ref"}:
                return schema
            found = self.definition(local_name(schema["$ref"]))
            notes += found.notes
            schema = found.schema
        return True  # a circle of references says nothing

    def complete(
        self, schema: dict[str, Any], notes: list[Note], *, budget: int, pointer: str
    ) -> dict[str, Any]:
        """The schema with every definition it needs, nearest and smallest first, within a budget.

        Definitions beyond the budget (bytes of JSON) are left open, accepting anything; adds that
        and the definitions' own notes to `notes`.
        """
        definitions: dict[str, JsonSchema] = {}
        left_open: list[str] = []
        size = len(msgspec.json.encode(schema))
        level = set(references(schema))
        while level:
            deeper: set[str] = set()
            for name in sorted(level, key=lambda name: (self.definition(name).size, name)):
                found = self.definition(name)
                if size + found.size > budget:
                    definitions[name] = {}
                    left_open.append(name)
                    continue
                size += found.size
                definitions[name] = found.schema
                notes += found.notes
                deeper.update(found.references)
            level = deeper - definitions.keys()
        if left_open:
            notes.append(self._left_open(left_open, budget=budget, pointer=pointer))
        return schema | {"$defs": definitions} if definitions else schema

    def _schema(self, schema: Any, pointer: str, hidden: frozenset[str], depth: int) -> JsonSchema:
        if isinstance(schema, bool):
            return schema
        if not isinstance(schema, dict):
            self._note(pointer, "this is not a schema, so any value is accepted")
            return True
        if depth > MAX_DEPTH:
            raise OperationProblem(
                f"schemas are nested deeper than {MAX_DEPTH} levels", pointer=pointer
            )
        if isinstance(schema.get("$ref"), str):
            return self._reference(schema, pointer, hidden, depth)
        hidden |= self._one_way.hidden(schema, pointer)
        result: dict[str, Any] = {}
        for keyword, value in schema.items():
            if keyword in PLAIN:
                self._plain(result, keyword, value, pointer)
            elif keyword in ONE_SCHEMA:
                self._one(result, keyword, value, at(pointer, keyword), depth)
            elif keyword in SCHEMA_LIST:
                # What one branch of allOf hides, another may still call required.
                passed = hidden if keyword == "allOf" else NONE
                self._list(result, keyword, value, at(pointer, keyword), passed, depth)
            elif keyword in SCHEMA_MAP:
                self._map(result, keyword, value, at(pointer, keyword), hidden, depth)
            elif keyword in ("description", "title") and isinstance(value, str):
                result[keyword] = visible_text(value)
        return _modernised(schema, _tidied(result, hidden))

    def _plain(self, result: dict[str, Any], keyword: str, value: Any, pointer: str) -> None:
        if PLAIN[keyword](value):
            result[keyword] = value
        elif value is None or (keyword.startswith("exclusive") and isinstance(value, bool)):
            return  # said nothing, or a flag as 3.0 has it; see _modernised
        elif keyword == "pattern" and isinstance(value, str):
            self._note(
                at(pointer, keyword), f"the pattern {shown(value)} cannot be compiled: not checked"
            )
        else:
            self._note(
                at(pointer, keyword), f"`{keyword}` has a value no schema can have and is left out"
            )

    def _one(
        self, result: dict[str, Any], keyword: str, value: Any, pointer: str, depth: int
    ) -> None:
        if keyword == "items" and isinstance(value, list):  # how a tuple was written before 2020
            self._list(result, "prefixItems", value, pointer, NONE, depth)
        else:
            result[keyword] = self._schema(value, pointer, NONE, depth + 1)

    def _list(
        self,
        result: dict[str, Any],
        keyword: str,
        value: Any,
        pointer: str,
        hidden: frozenset[str],
        depth: int,
    ) -> None:
        if not isinstance(value, list) or not value:
            self._note(pointer, f"`{keyword}` must be a list of schemas and is left out")
            return
        result[keyword] = [
            self._schema(branch, at(pointer, index), hidden, depth + 1)
            for index, branch in enumerate(value)
        ]

    def _map(
        self,
        result: dict[str, Any],
        keyword: str,
        value: Any,
        pointer: str,
        hidden: frozenset[str],
        depth: int,
    ) -> None:
        if not isinstance(value, dict):
            self._note(pointer, f"`{keyword}` must be an object of schemas and is left out")
            return
        translated: dict[str, JsonSchema] = {}
        for name, member in value.items():
            if keyword == "properties" and name in hidden:
                continue
            if keyword == "patternProperties" and not pattern_compiles(name):
                reason = f"the pattern {shown(name)} cannot be compiled: not checked"
                self._note(at(pointer, name), reason)
                continue
            schema = self._schema(member, at(pointer, name), NONE, depth + 1)
            if isinstance(schema, dict) and _says_only_name(schema.get("title"), name):
                del schema["title"]
            translated[name] = schema
        result[keyword] = translated

    def _reference(
        self, schema: Mapping[str, Any], pointer: str, hidden: frozenset[str], depth: int
    ) -> JsonSchema:
        target = target_pointer(schema["$ref"], pointer=pointer)
        try:
            resolved = look_up(self._root, target, reference=schema["$ref"], pointer=pointer)
        except OperationProblem as problem:
            self._note(pointer, f"{problem}; any value is accepted")
            return True
        beside = {
            key: value
            for key, value in schema.items()
            if key != "$ref" and (not self._is_pre_json_schema or key == "description")
        }
        result = self._schema(beside, pointer, NONE, depth + 1) if beside else {}
        rest = result if isinstance(result, dict) else {}
        if hidden:
            hidden = self._one_way.hidden_from(resolved, target, hidden)
        name = self._name(target, hidden)
        self._sources[name] = (target, hidden)
        return {"$ref": local_reference(name)} | rest

    def _left_open(self, names: list[str], *, budget: int, pointer: str) -> Note:
        first = ", ".join(sorted(names)[:3]) + (" …" if len(names) > 3 else "")
        return Note(
            pointer=pointer,
            reason=f"{self._described} to {budget // 1024} KB; {len(names)} of the definitions "
            f"are left open ({first})",
        )

    def _name(self, pointer: str, hidden: frozenset[str]) -> str:
        """A readable name that depends on what it names alone."""
        section, _, last = pointer.rpartition("/")
        if section == self._components and _SAFE.fullmatch(last) and not hidden:
            return last
        digest = hashlib.sha256("\n".join((pointer, *sorted(hidden))).encode()).hexdigest()[:8]
        readable = _UNSAFE.sub("_", last.replace("~1", "/"))[-40:].strip("_")
        return f"{readable or 'schema'}_{digest}"

    def _note(self, pointer: str, reason: str) -> None:
        self._notes.append(Note(pointer=pointer, reason=reason))


def _tidied(result: dict[str, Any], hidden: frozenset[str]) -> dict[str, Any]:
    if "title" in result and "description" in result:
        del result["title"]  # the description says more, and a model pays for both
    if hidden and "required" in result:
        result["required"] = [name for name in result["required"] if name not in hidden]
    return result


def _modernised(schema: Mapping[str, Any], result: dict[str, Any]) -> JsonSchema:
    """Flags of OpenAPI 3.0 as 2020-12 has them; documents of later versions use them too."""
    for exclusive, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if schema.get(exclusive) is True and bound in result:
            result[exclusive] = result.pop(bound)
    if schema.get("nullable") is not True and schema.get("x-nullable") is not True:
        return result
    if "enum" in result and None not in result["enum"]:
        result["enum"] = [*result["enum"], None]
    if isinstance(result.get("type"), str):
        result["type"] = [result["type"], "null"]
    elif "type" not in result and not result.keys().isdisjoint(("allOf", "anyOf", "oneOf")):
        about = {key: result.pop(key) for key in ("description", "default") if key in result}
        return {"anyOf": [result, {"type": "null"}]} | about
    return result


def _says_only_name(title: object, name: str) -> bool:
    return isinstance(title, str) and title.replace(" ", "_").casefold() == name.casefold()
