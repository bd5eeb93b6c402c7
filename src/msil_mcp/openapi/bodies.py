"""The body of an operation: which representation is sent, and whether its members lie flat."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from msil_mcp.openapi.errors import OperationProblem, shown
from msil_mcp.openapi.keywords import visible_text
from msil_mcp.openapi.operations import MediaType, Operation
from msil_mcp.openapi.references import at
from msil_mcp.openapi.schemas import Translator
from msil_mcp.openapi.shapes import JsonSchema, is_object
from msil_mcp.openapi.template import BodyBinding, FieldBinding, Style
from msil_mcp.openapi.verdicts import Note

_FORM = "application/x-www-form-urlencoded"
_FORM_STYLES = ("form", "spaceDelimited", "pipeDelimited", "deepObject")
# An object described by nothing but these can be taken apart and put together again.
_FLAT = frozenset(
    (
        "type", "properties", "required", "allOf", "additionalProperties", "description", "title",
        "default", "deprecated",
    )
)  # fmt: skip
_MOST_PARTS = 100


@dataclass(frozen=True, slots=True)
class Body:
    """A body as arguments; `members` is None when it is one argument as a whole."""

    media: MediaType
    encoding: Literal["json", "form"]
    required: bool
    schema: JsonSchema
    members: Mapping[str, JsonSchema] | None
    required_members: tuple[str, ...]

    def binding(
        self, *, argument: str | None = None, fields: tuple[FieldBinding, ...] = ()
    ) -> BodyBinding:
        """How the arguments become the body."""
        return BodyBinding(
            media_type=self.media.name if self.media.name != "*/*" else "application/json",
            encoding=self.encoding,
            required=self.required,
            argument=argument,
            fields=fields,
        )

    def field(self, name: str, *, argument: str) -> FieldBinding:
        """How one member is written."""
        encoding = self.media.encoding.get(name)
        if self.encoding == "json" or not isinstance(encoding, dict):
            return FieldBinding(argument=argument, name=name)
        style, explode = encoding.get("style"), encoding.get("explode")
        if style not in _FORM_STYLES:
            content_type = str(encoding.get("contentType", ""))
            is_json = content_type.startswith("application/json")
            # An explode alone implies the default style.
            style = "json" if is_json else "form" if isinstance(explode, bool) else None
        return FieldBinding(
            argument=argument,
            name=name,
            style=cast("Style | None", style),
            explode=explode if isinstance(explode, bool) else style in ("form", None),
            allow_reserved=encoding.get("allowReserved") is True,
        )


def read_body(operation: Operation, *, translator: Translator, notes: list[Note]) -> Body | None:
    """The body of an operation, None when it has none.

    Raises:
        OperationProblem: It exists only in a representation that cannot be sent.
    """
    raw = operation.request_body
    if raw is None or not raw.content:
        return None
    media, encoding = _choose(operation)
    schema, found = translator.translate(media.schema, pointer=at(media.pointer, "schema"))
    notes += found
    flat = _flatten(translator, schema, notes)
    if (
        flat is None
        and encoding == "form"
        and not is_object(schema, definition=translator.schema_of)
    ):
        raise OperationProblem("a form body must be an object", pointer=media.pointer)
    if flat is None and raw.description and isinstance(schema, dict):
        schema = {"description": visible_text(raw.description)} | schema
    return Body(
        media=media,
        encoding=encoding,
        required=raw.required,
        schema=schema,
        members=flat.members if flat else None,
        required_members=flat.required if flat else (),
    )


def _choose(operation: Operation) -> tuple[MediaType, Literal["json", "form"]]:
    content = operation.request_body.content if operation.request_body else ()
    for media in content:
        if is_json(media.name):
            return media, "json"
    for media in content:
        if media.name == _FORM:
            return media, "form"
    for media in content:
        if media.name in ("*/*", "application/*"):
            return media, "json"
    names = ", ".join(shown(media.name, limit=60) for media in content)
    raise OperationProblem(
        f"takes its body only as {names}; JSON and {_FORM} can be sent",
        pointer=operation.request_body.pointer if operation.request_body else operation.pointer,
    )


def is_json(media_type: str) -> bool:
    """Whether a media type without its parameters is JSON."""
    return media_type == "application/json" or media_type.endswith("+json")


@dataclass(frozen=True, slots=True)
class _Flat:
    members: dict[str, JsonSchema]
    required: tuple[str, ...]


def _flatten(translator: Translator, schema: JsonSchema, notes: list[Note]) -> _Flat | None:
    """The members of an object that says nothing but what members it has; else None."""
    own_notes: list[Note] = []
    parts: list[dict[str, Any]] = []
    pending = [schema]
    while pending:
        part = translator.expanded(pending.pop(0), own_notes)
        if isinstance(part, bool) or not _is_flat(part) or len(parts) == _MOST_PARTS:
            return None
        parts.append(part)
        pending[:0] = part.get("allOf", ())
    members: dict[str, JsonSchema] = {}
    required: dict[str, None] = {}
    for part in parts:
        for name, member in part.get("properties", {}).items():
            members[name] = _both(members[name], member) if name in members else member
        required |= dict.fromkeys(part.get("required", ()))
    is_closed = any("additionalProperties" in part for part in parts)
    if not members or (is_closed and sum("properties" in part for part in parts) > 1):
        return None  # a closed branch refuses the members of the others
    for name in required:
        members.setdefault(name, {})
    notes += own_notes
    return _Flat(members=members, required=tuple(required))


def _is_flat(schema: dict[str, Any]) -> bool:
    """Whether nothing is lost when an object is taken apart, such as members it only allows."""
    return (
        schema.keys() <= _FLAT
        and schema.get("type", "object") in ("object", ["object"])
        and schema.get("additionalProperties", False) is False
    )


def _both(first: JsonSchema, second: JsonSchema) -> JsonSchema:
    return first if first == second else {"allOf": [first, second]}
