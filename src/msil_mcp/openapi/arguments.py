"""One flat set of arguments from an operation's parameters and body, and where each one goes."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msil_mcp.openapi.bodies import Body, read_body
from msil_mcp.openapi.document import Document
from msil_mcp.openapi.errors import OperationProblem, shown
from msil_mcp.openapi.keywords import visible_text
from msil_mcp.openapi.operations import Operation, Parameter
from msil_mcp.openapi.pii import PiiField, PiiFinder, mark_kind
from msil_mcp.openapi.references import at
from msil_mcp.openapi.schemas import Translator
from msil_mcp.openapi.security import (
    credential_names,
    is_credential,
    is_idempotency_key,
    is_protocol_header,
)
from msil_mcp.openapi.shapes import JsonSchema
from msil_mcp.openapi.template import BodyBinding, ParameterBinding, Style
from msil_mcp.openapi.verdicts import Note

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")  # what model providers refuse in a property name
_LONGEST_NAME = 64
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_STYLES: dict[str, tuple[Style, ...]] = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
_LOCATION_ORDER = ("path", "query", "header", "cookie", "body")


@dataclass(slots=True)
class Arguments:
    """The input of a tool and its routing."""

    schema: dict[str, Any]
    parameters: tuple[ParameterBinding, ...] = ()
    body: BodyBinding | None = None
    pii: list[PiiField] = field(default_factory=list)
    idempotent_upstream: bool = False


class ArgumentReader:
    """Reads the arguments of one document's operations."""

    def __init__(self, document: Document, *, translator: Translator, finder: PiiFinder) -> None:
        self._document = document
        self._translator = translator
        self._finder = finder
        self._credentials = credential_names(document)

    def read(self, operation: Operation, notes: list[Note]) -> Arguments:
        """The arguments of an operation; what is lost on the way is added to the notes.

        Raises:
            OperationProblem: The operation cannot be called with what would be left.
        """
        parameters = [
            parameter
            for parameter in self._with_placeholders(operation, notes)
            if self._is_argument(parameter)
        ]
        body = read_body(operation, translator=self._translator, notes=notes)
        names = _names(parameters, body)
        result = Arguments(schema={})
        properties: dict[str, JsonSchema] = {}
        required: list[str] = []
        bindings: list[ParameterBinding] = []
        for parameter in parameters:
            binding = _binding(parameter, names[parameter.location, parameter.name], notes)
            if binding is None:
                continue
            bindings.append(binding)
            properties[binding.argument] = self._parameter_schema(parameter, notes)
            if parameter.required:
                required.append(binding.argument)
            result.pii += self._parameter_pii(parameter, binding.argument)
        dependent: dict[str, list[str]] = {}
        if body is not None:
            self._add_body(result, body, names, properties, required, dependent)
        result.parameters = tuple(bindings)
        result.idempotent_upstream = any(map(is_idempotency_key, operation.parameters))
        result.schema = _object_schema(properties, required, dependent)
        return result

    def _is_argument(self, parameter: Parameter) -> bool:
        return not (
            is_credential(parameter, self._credentials)
            or is_protocol_header(parameter)
            or is_idempotency_key(parameter)
        )

    def _with_placeholders(self, operation: Operation, notes: list[Note]) -> Iterable[Parameter]:
        """The parameters, those of the path made to agree with the placeholders in it."""
        placeholders = dict.fromkeys(_PLACEHOLDER.findall(operation.path.partition("#")[0]))
        for parameter in operation.parameters:
            if parameter.location != "path":
                yield parameter
            elif parameter.name in placeholders:
                del placeholders[parameter.name]
                yield parameter
            else:
                reason = f"the path has no {{{shown(parameter.name)}}}, so this is left out"
                notes.append(Note(pointer=parameter.pointer, reason=reason))
        for name in placeholders:
            reason = f"the path's {{{shown(name)}}} is described nowhere; taken as text"
            notes.append(Note(pointer=operation.pointer, reason=reason))
            yield Parameter(
                name=name,
                location="path",
                required=True,
                description="",
                deprecated=False,
                schema={"type": "string"},
                style=None,
                explode=None,
                allow_reserved=False,
                media_type=None,
                extensions={},
                pointer=operation.pointer,
                schema_pointer=operation.pointer,
            )

    def _parameter_schema(self, parameter: Parameter, notes: list[Note]) -> JsonSchema:
        schema, found = self._translator.translate(
            parameter.schema, pointer=parameter.schema_pointer
        )
        notes += found
        if isinstance(schema, bool):
            schema = {}
        about: dict[str, Any] = {}
        if description := visible_text(parameter.description):
            about["description"] = description
        if parameter.deprecated:
            about["deprecated"] = True
        return schema | about

    def _parameter_pii(self, parameter: Parameter, argument: str) -> Iterable[PiiField]:
        if kind := mark_kind(parameter.extensions):
            yield PiiField(where="input", path=at("", argument), kind=kind)
        for path, kind in self._finder.find(parameter.schema, pointer=parameter.schema_pointer):
            yield PiiField(where="input", path=at("", argument, *path), kind=kind)

    def _add_body(
        self,
        result: Arguments,
        body: Body,
        names: dict[tuple[str, str], str],
        properties: dict[str, JsonSchema],
        required: list[str],
        dependent: dict[str, list[str]],
    ) -> None:
        marks = self._finder.find(body.media.schema, pointer=at(body.media.pointer, "schema"))
        if body.members is None:
            argument = names["body", "body"]
            properties[argument] = body.schema
            if body.required:
                required.append(argument)
            result.pii += [
                PiiField(where="input", path=at("", argument, *path), kind=kind)
                for path, kind in marks
            ]
            result.body = body.binding(argument=argument)
            return
        arguments = {name: names["body", name] for name in body.members}
        properties |= {arguments[name]: schema for name, schema in body.members.items()}
        needed = [arguments[name] for name in body.required_members]
        if body.required:
            required += needed
        elif needed:
            # The body may be left out as a whole, but not in part.
            for argument in arguments.values():
                dependent[argument] = [name for name in needed if name != argument]
        result.pii += [
            PiiField(where="input", path=at("", arguments[path[0]], *path[1:]), kind=kind)
            for path, kind in marks
            if path and path[0] in arguments
        ]
        result.body = body.binding(
            fields=tuple(body.field(name, argument=arguments[name]) for name in sorted(arguments))
        )


def _object_schema(
    properties: dict[str, JsonSchema], required: list[str], dependent: dict[str, list[str]]
) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    if dependent := {name: others for name, others in dependent.items() if others}:
        schema["dependentRequired"] = dependent
    return schema | {"additionalProperties": False}


def _binding(parameter: Parameter, argument: str, notes: list[Note]) -> ParameterBinding | None:
    """Where the argument goes; None when an optional parameter has to be left out."""
    if parameter.location in ("header", "cookie") and not _TOKEN.fullmatch(parameter.name):
        raise OperationProblem(
            f"`{shown(parameter.name)}` is not a possible {parameter.location} name",
            pointer=parameter.pointer,
        )
    if parameter.media_type is not None:
        media_type = parameter.media_type.partition(";")[0].strip().lower()
        if media_type == "application/json" or media_type.endswith("+json"):
            return ParameterBinding(
                argument=argument,
                name=parameter.name,
                location=parameter.location,
                style="json",
                explode=False,
            )
        reason = f"a parameter in the format {shown(media_type)} cannot be sent"
        if parameter.required:
            raise OperationProblem(reason, pointer=parameter.pointer)
        notes.append(Note(pointer=parameter.pointer, reason=f"{reason}, so it is left out"))
        return None
    allowed = _STYLES[parameter.location]
    style = next((known for known in allowed if known == parameter.style), allowed[0])
    if parameter.style not in (None, style):
        reason = f"the style {shown(parameter.style or '')} does not exist here; sent as {style}"
        notes.append(Note(pointer=at(parameter.pointer, "style"), reason=reason))
    return ParameterBinding(
        argument=argument,
        name=parameter.name,
        location=parameter.location,
        style=style,
        explode=(style == "form") if parameter.explode is None else parameter.explode,
        allow_reserved=parameter.allow_reserved and parameter.location == "query",
    )


def _names(parameters: list[Parameter], body: Body | None) -> dict[tuple[str, str], str]:
    """The argument of each parameter and body member, by location and name on the wire.

    A name that occurs once stays as it is. Where locations share one, the first of path, query,
    header, cookie and body keeps it and the others are prefixed with their location.
    """
    wanted: list[tuple[str, str]] = [
        (parameter.location, parameter.name) for parameter in parameters
    ]
    if body is not None:
        wanted += [("body", name) for name in (body.members or {"body": True})]
    safe = {key: _UNSAFE.sub("_", key[1]).strip("_")[:_LONGEST_NAME] or "value" for key in wanted}
    wanted.sort(key=lambda key: (_LOCATION_ORDER.index(key[0]), safe[key] != key[1], key[1]))
    taken: set[str] = set()
    natural = {safe[key] for key in wanted}
    result: dict[tuple[str, str], str] = {}
    for key in wanted:
        name = safe[key]
        if name in taken:
            name = base = f"{key[0]}_{name}"[:_LONGEST_NAME]
            count = 2
            while name in taken or name in natural:
                name = f"{base[: _LONGEST_NAME - 5]}_{count}"
                count += 1
        taken.add(name)
        result[key] = name
    return result
