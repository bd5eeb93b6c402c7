"""/docs: every route of the REST API on one page, without a script and from no other origin."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any, NamedTuple

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, iter_route_contexts

from msil_mcp.pages.fields import Document, Field, given, taken
from msil_mcp.pages.plain import plain_page
from msil_mcp.principal import ROUTE_PERMISSION

INTRODUCTION = (
    "<p>An API key or an access token goes into <code>Authorization: Bearer …</code>. Errors are "
    'problem documents (RFC 9457). The whole document is <a href="/openapi.json">openapi.json'
    "</a>, which any OpenAPI tool reads.</p>\n"
)


class Operation(NamedTuple):
    """One route of the API."""

    method: str
    path: str
    meaning: str
    permission: str
    takes: list[Field]
    gives: list[Field]


def reference_page(app: FastAPI, *, nonce: str) -> str:
    """The page, from the application's own document and routes."""
    sections = (
        f"<h2>{escape(tag)}</h2>\n{''.join(map(_shown, operations))}\n"
        for tag, operations in sorted(operations_of(app, app.openapi()).items())
    )
    return plain_page("REST API", INTRODUCTION + "".join(sections), nonce=nonce)


def operations_of(app: FastAPI, document: Document) -> dict[str, list[Operation]]:
    """The routes by tag, as the document describes them, with what they demand of a caller."""
    permissions = dict(_permissions(app))
    found: dict[str, list[Operation]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for name, described in methods.items():
            method = name.upper()
            found[described.get("tags", ["service"])[0]].append(
                Operation(
                    method=method,
                    path=path,
                    meaning=_first_paragraph(described),
                    permission=permissions.get((method, path), ""),
                    takes=taken(described, document),
                    gives=given(described, document),
                )
            )
    for (method, path), permission in permissions.items():
        if method == "WEBSOCKET":
            found["events"].append(Operation(method, path, "A WebSocket.", permission, [], []))
    return found


def _first_paragraph(described: dict[str, Any]) -> str:
    text: str = described.get("description") or described.get("summary", "")
    return text.split("\n\n")[0]


def _permissions(app: FastAPI) -> Iterator[tuple[tuple[str, str], str]]:
    """Each route's method and path, with the permission that it declares."""
    for context in iter_route_contexts(app.routes):
        if isinstance(context.original_route, APIRoute | APIWebSocketRoute):
            permission = next(_declared(context.dependant), "")
            for method in context.methods or {"WEBSOCKET"}:
                yield (method, str(context.path)), permission


def _declared(dependant: Dependant) -> Iterator[str]:
    permission = getattr(dependant.call, ROUTE_PERMISSION, None)
    if permission is not None:
        yield permission
    for dependency in dependant.dependencies:
        yield from _declared(dependency)


def _shown(operation: Operation) -> str:
    details = _table("Takes", operation.takes) + _table("Gives", operation.gives)
    return (
        f"<details>\n<summary><code>{operation.method} {escape(operation.path)}</code>"
        f"<br>{escape(operation.meaning)}</summary>\n"
        f"<p>Needs: {escape(operation.permission)}</p>\n{details}</details>\n"
    )


def _table(title: str, fields: Iterable[Field]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field.name)}</code>{' (required)' if field.required else ''}</td>"
        f"<td>{escape(field.place)}</td><td>{escape(field.kind)}</td>"
        f"<td>{escape(field.meaning)}</td></tr>\n"
        for field in fields
    )
    if not rows:
        return ""
    head = "".join(f"<th>{name}</th>" for name in (title, "Where", "Type", "Meaning"))
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n"
