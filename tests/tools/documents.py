"""Small OpenAPI documents of ours, to import and to change."""

from typing import Any


def garage(**operations: dict[str, Any]) -> dict[str, Any]:
    """A document with one GET operation for each keyword, or two by default."""
    chosen = operations or {"list_lifts": {}, "get_lift": {}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Garage", "version": "1.0.0", "description": "Lifts of a garage."},
        "servers": [{"url": "http://127.0.0.1:9"}],
        "paths": {f"/{name}": {"get": operation(name, **extra)} for name, extra in chosen.items()},
    }


def operation(name: str, **extra: Any) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": name.replace("_", " ").capitalize(),
        "parameters": [{"name": "floor", "in": "query", "schema": {"type": "integer"}}],
        "responses": {"200": {"description": "OK"}},
    } | extra
