"""Tool definitions: all that a tool version is, made from the operations of a document."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import msgspec

from msil_mcp.openapi.arguments import ArgumentReader
from msil_mcp.openapi.canonical import canonical
from msil_mcp.openapi.document import Document
from msil_mcp.openapi.errors import OperationProblem, shown
from msil_mcp.openapi.keywords import visible_text
from msil_mcp.openapi.naming import tool_name, unique_names
from msil_mcp.openapi.operations import Operation, read_operations
from msil_mcp.openapi.pii import PiiField as PiiField
from msil_mcp.openapi.pii import PiiFinder
from msil_mcp.openapi.references import at
from msil_mcp.openapi.request import has_dot_segment
from msil_mcp.openapi.results import ResultReader
from msil_mcp.openapi.schemas import Translator
from msil_mcp.openapi.shapes import check_usable
from msil_mcp.openapi.template import BodyBinding as BodyBinding
from msil_mcp.openapi.template import FieldBinding as FieldBinding
from msil_mcp.openapi.template import ParameterBinding as ParameterBinding
from msil_mcp.openapi.template import RequestTemplate as RequestTemplate
from msil_mcp.openapi.verdicts import Note
from msil_mcp.openapi.verdicts import Verdict as Verdict

Risk = Literal["read", "write", "privileged"]
Confirming = Literal["required", "waived"]
"""Whether a person must agree to a call, where somebody has said so; else writes need it."""
_RISKS = ("read", "write", "privileged")
# Bytes of JSON. Beyond it a schema costs a model more than it tells it.
INPUT_BUDGET = 16 * 1024
_IDEMPOTENT_METHODS = ("PUT", "DELETE")


class ToolAnnotations(msgspec.Struct, frozen=True, rename="camel"):
    """Hints of MCP; in JSON `readOnlyHint` and so on."""

    read_only_hint: bool
    destructive_hint: bool
    idempotent_hint: bool
    open_world_hint: bool


class ToolDefinition(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a tool version is.

    The schemas are shared between the tools of an import; treat them as immutable.
    """

    name: str
    title: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] | None
    risk: Risk
    annotations: ToolAnnotations
    request: RequestTemplate
    audit_subjects: tuple[str, ...]
    pii: tuple[PiiField, ...]
    idempotent_upstream: bool
    tags: tuple[str, ...]
    operation_id: str
    deprecated: bool
    confirmation: Confirming | None = None


class Import(msgspec.Struct, frozen=True):
    """What a document became: its tools in document order, and what happened to every operation."""

    tools: tuple[ToolDefinition, ...]
    verdicts: tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class _Made:
    """A tool before its name is known to be unique."""

    operation: Operation
    definition: ToolDefinition
    has_explicit_name: bool
    notes: list[Note]


OnProgress = Callable[[int, int], None]
"""Hears how many operations are done, and of how many."""


def no_progress(_done: int, _total: int) -> None:
    """For whoever does not want to know."""


def define_tools(document: Document, *, on_progress: OnProgress = no_progress) -> Import:
    """Make a tool of every operation that can be one; an operation never fails the others."""
    maker = _Maker(document)
    made: list[_Made] = []
    verdicts: list[Verdict | _Made] = []
    operations = list(read_operations(document))
    for done, item in enumerate(operations):
        on_progress(done, len(operations))
        if isinstance(item, Verdict):
            verdicts.append(item)
            continue
        try:
            one = maker.make(item)
        except OperationProblem as problem:
            verdicts.append(Verdict.rejected(item.key, problem))
            continue
        made.append(one)
        verdicts.append(one)
    # Names people chose come first, then by place, so that order in the file plays no role.
    made.sort(key=lambda one: (not one.has_explicit_name, one.operation.path, one.operation.method))
    names = unique_names((one.operation.key, one.definition.name) for one in made)
    tools: list[ToolDefinition] = []
    result: list[Verdict] = []
    for entry in verdicts:
        if isinstance(entry, Verdict):
            result.append(entry)
            continue
        name = names[entry.operation.key]
        tools.append(msgspec.structs.replace(entry.definition, name=name))
        result += _verdicts(entry, name)
    return Import(tools=tuple(tools), verdicts=tuple(result))


def definition_hash(definition: ToolDefinition) -> str:
    """SHA-256 in hex of what callers see and where calls go.

    Tags, the operation id and deprecation are left out: a change there changes no call.
    """
    hashed: dict[str, Any] = {
        "name": definition.name,
        "title": definition.title,
        "description": definition.description,
        "input_schema": definition.input_schema,
        "output_schema": definition.output_schema,
        "risk": definition.risk,
        "annotations": msgspec.to_builtins(definition.annotations),
        "request": msgspec.to_builtins(definition.request),
        "audit_subjects": definition.audit_subjects,
        "pii": msgspec.to_builtins(definition.pii),
        "idempotent_upstream": definition.idempotent_upstream,
    }
    if definition.confirmation is not None:
        hashed["confirmation"] = definition.confirmation
    return hashlib.sha256(canonical(hashed)).hexdigest()


class _Maker:
    def __init__(self, document: Document) -> None:
        finder = PiiFinder(document)
        self._inputs = Translator(document, direction="input")
        self._arguments = ArgumentReader(document, translator=self._inputs, finder=finder)
        self._results = ResultReader(document, finder=finder)

    def make(self, operation: Operation) -> _Made:
        extensions = operation.extensions
        notes: list[Note] = []
        _check_callable(operation)
        risk = _risk(operation)
        arguments = self._arguments.read(operation, notes)
        input_schema = self._inputs.complete(
            arguments.schema, notes, budget=INPUT_BUDGET, pointer=operation.pointer
        )
        result = self._results.read(operation, notes)
        check_usable(input_schema, pointer=operation.pointer)
        if operation.servers:
            reason = f"its own server {shown(operation.servers[0])} is not used"
            notes.append(Note(pointer=at(operation.pointer, "servers"), reason=reason))
        explicit_name = _text(extensions.get("x-msil-name"))
        description = _description(operation)
        definition = ToolDefinition(
            name=tool_name(
                explicit_name or operation.operation_id,
                method=operation.method,
                path=operation.path,
            ),
            title=_title(operation),
            description=description,
            input_schema=input_schema,
            output_schema=result.schema,
            risk=risk,
            annotations=annotations_of(risk, method=operation.method),
            request=RequestTemplate(
                method=operation.method,
                path=operation.path.partition("#")[0],
                parameters=arguments.parameters,
                body=arguments.body,
            ),
            audit_subjects=_names(extensions.get("x-msil-audit-subjects")),
            pii=tuple(sorted([*arguments.pii, *result.pii])),
            idempotent_upstream=arguments.idempotent_upstream,
            tags=operation.tags,
            operation_id=operation.operation_id,
            deprecated=operation.deprecated,
        )
        return _Made(operation, definition, bool(explicit_name), notes)


def _check_callable(operation: Operation) -> None:
    pointer = operation.pointer
    if operation.extensions.get("x-msil-hide") is True:
        raise OperationProblem("left out on purpose: x-msil-hide", pointer=pointer)
    if operation.method == "TRACE":
        raise OperationProblem("TRACE echoes credentials and is never sent", pointer=pointer)
    path = operation.path.partition("#")[0].partition("?")[0]
    if not path.startswith("/"):
        raise OperationProblem("its path does not start with a slash", pointer=pointer)
    if has_dot_segment(path) or "/.{" in path or "/..{" in path:
        raise OperationProblem("its path has a dot segment", pointer=pointer)


def _risk(operation: Operation) -> Risk:
    declared = operation.extensions.get("x-msil-class")
    if declared is None:
        return "read" if operation.method in ("GET", "HEAD") else "write"
    if declared not in _RISKS:
        # Guessing could make a dangerous tool look harmless.
        raise OperationProblem(
            f"x-msil-class is `{shown(str(declared))}`; use read, write or privileged",
            pointer=at(operation.pointer, "x-msil-class"),
        )
    return cast("Risk", declared)


def annotations_of(risk: Risk, *, method: str) -> ToolAnnotations:
    """What clients are told a tool of this risk does."""
    is_read = risk == "read"
    return ToolAnnotations(
        read_only_hint=is_read,
        destructive_hint=not is_read,
        idempotent_hint=is_read or method in _IDEMPOTENT_METHODS,
        open_world_hint=True,
    )


def _title(operation: Operation) -> str:
    if operation.summary and len(operation.summary) <= 100:
        return visible_text(operation.summary)
    words = tool_name(operation.operation_id, method=operation.method, path=operation.path)
    title = words.replace("_", " ").replace("-", " ").strip()
    return title[:1].upper() + title[1:]


def _description(operation: Operation) -> str:
    if override := _text(operation.extensions.get("x-msil-description")):
        return visible_text(override)
    summary, description = visible_text(operation.summary), visible_text(operation.description)
    if not description:
        return summary or f"{operation.method} {operation.path}"
    opening = summary.rstrip(".")
    following = description[len(opening) : len(opening) + 1]
    if not summary or (description.startswith(opening) and not following.isalnum()):
        return description
    return f"{summary}\n\n{description}"


def _verdicts(made: _Made, name: str) -> list[Verdict]:
    notes = list(dict.fromkeys(made.notes))
    if name != made.definition.name:
        reason = f"the name {made.definition.name} is taken; called {name}"
        notes.append(Note(pointer=made.operation.pointer, reason=reason))
    operation = made.operation
    if not notes:
        return [Verdict("imported", operation.key, operation.pointer, tool=name)]
    return [Verdict("degraded", operation.key, note.pointer, note.reason, name) for note in notes]


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(filter(None, map(_text, value))) if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
