"""The bench's own OpenAPI document as a table of operations, for the hand-written servers.

It reads what bench/document.py writes and nothing more general.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import jsonschema_rs


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation with its schemas resolved and its validator compiled."""

    name: str
    method: str
    path: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any]
    in_path: tuple[str, ...]
    in_query: tuple[str, ...]
    in_body: tuple[str, ...]
    validator: Any


class Operations:
    """All operations of the document named by BENCH_DOCUMENT, and one client for the upstream."""

    def __init__(self) -> None:
        document = json.loads(Path(os.environ["BENCH_DOCUMENT"]).read_text())
        self.base_url: str = document["servers"][0]["url"]
        self.by_name = {
            operation.name: operation
            for path, item in document["paths"].items()
            for operation in (_read(document, path, *entry) for entry in item.items())
        }
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, operation: Operation, arguments: dict[str, Any]) -> bytes:
        """The upstream's answer to one call."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))
        values = {name: quote(str(arguments[name]), safe="") for name in operation.in_path}
        query = {name: str(arguments[name]) for name in operation.in_query if name in arguments}
        body = {name: arguments[name] for name in operation.in_body if name in arguments}
        async with self._session.request(
            operation.method,
            self.base_url + operation.path.format_map(values),
            params=query,
            json=body or None,
        ) as answer:
            return await answer.read()

    async def close(self) -> None:
        """End the upstream connections."""
        if self._session is not None:
            await self._session.close()


def _read(document: dict[str, Any], path: str, method: str, raw: dict[str, Any]) -> Operation:
    properties: dict[str, Any] = {}
    required: list[str] = []
    places: dict[str, list[str]] = {"path": [], "query": [], "body": []}
    for parameter in raw["parameters"]:
        name = parameter["name"]
        properties[name] = parameter["schema"] | {"description": parameter["description"]}
        places[parameter["in"]].append(name)
        if parameter.get("required"):
            required.append(name)
    if "requestBody" in raw:
        schema = raw["requestBody"]["content"]["application/json"]["schema"]
        body = _resolve(document, schema)
        properties |= body["properties"]
        required += body["required"]
        places["body"] += body["properties"]
    answer = raw["responses"]["200"]["content"]["application/json"]["schema"]
    input_schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return Operation(
        name=raw["operationId"],
        method=method.upper(),
        path=path,
        description=f"{raw['summary']}\n\n{raw['description']}",
        input_schema=input_schema,
        output_schema=_resolve(document, answer),
        in_path=tuple(places["path"]),
        in_query=tuple(places["query"]),
        in_body=tuple(places["body"]),
        validator=jsonschema_rs.validator_for(input_schema),
    )


def _resolve(document: dict[str, Any], node: Any) -> Any:
    if isinstance(node, list):
        return [_resolve(document, item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _resolve(document, document["components"]["schemas"][node["$ref"].split("/")[-1]])
    return {name: _resolve(document, item) for name, item in node.items()}
