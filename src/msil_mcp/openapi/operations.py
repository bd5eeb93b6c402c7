"""The operations of a document, each with its shared parts gathered and references followed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from msil_mcp.openapi.document import Document, server_urls
from msil_mcp.openapi.errors import OperationProblem, shown
from msil_mcp.openapi.references import at, follow
from msil_mcp.openapi.verdicts import Verdict

Location = Literal["path", "query", "header", "cookie"]
_LOCATIONS = ("path", "query", "header", "cookie")
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace", "query")
_METHOD = re.compile(r"[A-Za-z][A-Za-z-]{0,30}")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter as written; `style` and `explode` are None where the document is silent.

    `media_type` is set for a parameter described by `content` instead of a style.
    """

    name: str
    location: Location
    required: bool
    description: str
    deprecated: bool
    schema: Any
    style: str | None
    explode: bool | None
    allow_reserved: bool
    media_type: str | None
    extensions: Mapping[str, Any]
    pointer: str
    schema_pointer: str


@dataclass(frozen=True, slots=True)
class MediaType:
    """One representation of a body."""

    name: str
    schema: Any
    encoding: Mapping[str, Any]
    pointer: str


@dataclass(frozen=True, slots=True)
class RequestBody:
    """What an operation takes as its body, in every representation the document offers."""

    required: bool
    description: str
    content: tuple[MediaType, ...]
    pointer: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation; `operation_id` is empty where the document gives none.

    `security` holds the alternatives, each naming the schemes needed together. `responses` is as
    written. `servers` are the operation's own, empty when the document's apply.
    """

    operation_id: str
    method: str
    path: str
    summary: str
    description: str
    tags: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    request_body: RequestBody | None
    responses: Mapping[str, Any]
    deprecated: bool
    security: tuple[tuple[str, ...], ...]
    extensions: Mapping[str, Any]
    pointer: str
    servers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """How a verdict calls the operation; unique in its document."""
        return f"{self.method} {self.path}"


def operations(document: Document) -> list[Operation]:
    """Every operation that can be read, in document order; see `read_operations` for the others."""
    return [item for item in read_operations(document) if isinstance(item, Operation)]


def read_operations(document: Document) -> Iterator[Operation | Verdict]:
    """Every operation in document order, or the verdict that says why it cannot be read."""
    for path, item in document.root["paths"].items():
        if path.startswith("x-"):
            continue
        pointer = at("/paths", path)
        try:
            resolved, resolved_pointer = follow(document.root, item, pointer=pointer)
        except OperationProblem as problem:
            yield Verdict.rejected(path, problem)
            continue
        if not isinstance(resolved, dict):
            misshapen = OperationProblem("must be an object of operations", pointer=pointer)
            yield Verdict.rejected(path, misshapen)
            continue
        yield from _path_operations(document, path, resolved, resolved_pointer)


def _path_operations(
    document: Document, path: str, item: Mapping[str, Any], pointer: str
) -> Iterator[Operation | Verdict]:
    found = [(method, item[method], at(pointer, method)) for method in _METHODS if method in item]
    additional = item.get("additionalOperations")
    if isinstance(additional, dict):
        found += [
            (method, operation, at(pointer, "additionalOperations", method))
            for method, operation in additional.items()
        ]
    for method, operation, place in found:
        try:
            yield _operation(document, path, method, item, operation, pointer, place)
        except OperationProblem as problem:
            yield Verdict.rejected(f"{shown(method).upper()} {path}", problem)


def _operation(
    document: Document,
    path: str,
    method: str,
    item: Mapping[str, Any],
    raw: Any,
    item_pointer: str,
    pointer: str,
) -> Operation:
    if not _METHOD.fullmatch(method):
        raise OperationProblem(f"`{shown(method)}` is not an HTTP method", pointer=pointer)
    operation, pointer = follow(document.root, raw, pointer=pointer)
    if not isinstance(operation, dict):
        raise OperationProblem("must be an object", pointer=pointer)
    parameters = _parameters(document, item, item_pointer)
    parameters |= _parameters(document, operation, pointer)
    own_servers = server_urls(operation.get("servers")) or server_urls(item.get("servers"))
    tags = operation.get("tags")
    responses = operation.get("responses")
    return Operation(
        operation_id=_text(operation.get("operationId")),
        method=method.upper(),
        path=path,
        summary=_text(operation.get("summary")) or _text(item.get("summary")),
        description=_text(operation.get("description")) or _text(item.get("description")),
        tags=tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else (),
        parameters=tuple(parameters.values()),
        request_body=_request_body(document, operation, pointer),
        responses=responses if isinstance(responses, dict) else {},
        deprecated=operation.get("deprecated") is True,
        security=_security(operation.get("security", document.root.get("security"))),
        extensions=_extensions(operation),
        pointer=pointer,
        servers=() if set(own_servers) <= set(document.servers) else own_servers,
    )


def _parameters(
    document: Document, owner: Mapping[str, Any], pointer: str
) -> dict[tuple[str, str], Parameter]:
    raw = owner.get("parameters")
    if raw is None:
        return {}
    if not isinstance(raw, list):
        raise OperationProblem("must be a list of parameters", pointer=at(pointer, "parameters"))
    found: dict[tuple[str, str], Parameter] = {}
    for index, entry in enumerate(raw):
        place = at(pointer, "parameters", index)
        resolved, place = follow(document.root, entry, pointer=place)
        parameter = _parameter(resolved, place)
        found[parameter.location, parameter.name] = parameter
    return found


def _parameter(raw: Any, pointer: str) -> Parameter:
    if not isinstance(raw, dict):
        raise OperationProblem("a parameter must be an object", pointer=pointer)
    name, location = raw.get("name"), raw.get("in")
    if not isinstance(name, str) or not name:
        raise OperationProblem("a parameter needs a `name`", pointer=pointer)
    if location not in _LOCATIONS:
        raise OperationProblem(
            f"a parameter `in` `{shown(str(location))}` is unknown; use {', '.join(_LOCATIONS)}",
            pointer=pointer,
        )
    schema, schema_pointer, media_type = raw.get("schema", {}), at(pointer, "schema"), None
    content = raw.get("content")
    if "schema" not in raw and isinstance(content, dict) and content:
        media_type, media = next(iter(content.items()))
        schema_pointer = at(pointer, "content", media_type, "schema")
        schema = media.get("schema", {}) if isinstance(media, dict) else {}
    explode = raw.get("explode")
    return Parameter(
        name=name,
        location=cast("Location", location),
        required=raw.get("required") is True or location == "path",
        description=_text(raw.get("description")),
        deprecated=raw.get("deprecated") is True,
        schema=schema,
        style=_text(raw.get("style")) or None,
        explode=explode if isinstance(explode, bool) else None,
        allow_reserved=raw.get("allowReserved") is True,
        media_type=media_type,
        extensions=_extensions(raw),
        pointer=pointer,
        schema_pointer=schema_pointer,
    )


def _request_body(
    document: Document, operation: Mapping[str, Any], pointer: str
) -> RequestBody | None:
    if operation.get("requestBody") is None:
        return None
    pointer = at(pointer, "requestBody")
    raw, pointer = follow(document.root, operation["requestBody"], pointer=pointer)
    if not isinstance(raw, dict):
        raise OperationProblem("a request body must be an object", pointer=pointer)
    content = raw.get("content")
    if not isinstance(content, dict):
        raise OperationProblem("a request body needs `content`", pointer=pointer)
    return RequestBody(
        required=raw.get("required") is True,
        description=_text(raw.get("description")),
        content=tuple(media_types(document, content, at(pointer, "content"))),
        pointer=pointer,
    )


def media_types(
    document: Document, content: Mapping[str, Any], pointer: str
) -> Iterator[MediaType]:
    """The representations of a `content` object."""
    for name, media in content.items():
        raw, place = follow(document.root, media, pointer=at(pointer, name))
        if not isinstance(raw, dict):
            continue
        encoding = raw.get("encoding")
        yield MediaType(
            name=name.partition(";")[0].strip().lower(),
            schema=raw.get("schema", {}),
            encoding=encoding if isinstance(encoding, dict) else {},
            pointer=place,
        )


def _security(raw: object) -> tuple[tuple[str, ...], ...]:
    if not isinstance(raw, list):
        return ()
    return tuple(tuple(alternative) for alternative in raw if isinstance(alternative, dict))


def _extensions(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key.startswith("x-")}


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
