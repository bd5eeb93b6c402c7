"""A bare client for tests: real HTTP without a client library; every answer is validated.

What a server emits must fit the official models of the version that was spoken.
"""

import http.client
import itertools
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from mcp_types import JSONRPCError, JSONRPCResponse, methods
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS

LEGACY = HANDSHAKE_PROTOCOL_VERSIONS
MODERN = "2026-07-28"
VERSIONS = (*LEGACY, MODERN)
NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
META = "io.modelcontextprotocol/"

_ids = itertools.count(1)


def validated(message: dict[str, Any], *, version: str, method: str | None) -> dict[str, Any]:
    """The message, if the official models of the version accept it."""
    if "method" in message and "id" in message:
        model = methods.SERVER_REQUESTS[message["method"], version]
        model.model_validate(message, by_name=False)
    elif "method" in message:
        model = methods.SERVER_NOTIFICATIONS[message["method"], version]
        model.model_validate(message, by_name=False)
    elif "error" in message:
        JSONRPCError.model_validate(message)
    else:
        JSONRPCResponse.model_validate(message)
        if method is not None:
            methods.validate_server_result(method, version, message["result"])
    return message


@dataclass(frozen=True)
class Response:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> int:
        return self.json["error"]["code"]

    @property
    def result(self) -> dict[str, Any]:
        return self.json["result"]


@dataclass(frozen=True)
class Stream:
    """An open SSE answer."""

    raw: http.client.HTTPResponse
    version: str
    method: str | None

    def events(self) -> Iterator[dict[str, str]]:
        """The fields of each event until the server ends the stream; comments are left out."""
        event: dict[str, str] = {}
        for line in self.raw:
            text = line.decode().rstrip("\n")
            name, _, value = text.partition(":")
            if name:
                event[name] = value.removeprefix(" ")
            elif not text and event:
                yield event
                event = {}

    def messages(self) -> Iterator[dict[str, Any]]:
        """The JSON-RPC messages."""
        for event in self.events():
            if event["data"]:
                message = json.loads(event["data"])
                yield validated(message, version=self.version, method=self.method)


@dataclass
class Talk:
    """One client speaking one version; its session may be used at several servers."""

    url: str
    version: str
    capabilities: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    session: str | None = None

    @property
    def is_modern(self) -> bool:
        return self.version == MODERN

    def at(self, url: str) -> Self:
        """The same client at another replica."""
        return type(self)(url, self.version, self.capabilities, self.extra, self.session)

    def request(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """A request body of this version."""
        params = dict(params or {})
        if self.version == MODERN:
            own = {
                META + "protocolVersion": MODERN,
                META + "clientCapabilities": self.capabilities,
            }
            params["_meta"] = {**own, **params.get("_meta", {})}
        return {"jsonrpc": "2.0", "id": next(_ids), "method": method, "params": params}

    def headers(self, message: Any = None) -> dict[str, str]:
        """The headers this version wants with a message."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": self.version,
        }
        if self.session is not None:
            headers["Mcp-Session-Id"] = self.session
        if self.version == MODERN and isinstance(message, dict):
            params = message.get("params")
            headers["Mcp-Method"] = str(message.get("method"))
            named_by = NAMED_BY.get(headers["Mcp-Method"])
            if named_by and isinstance(params, dict):
                headers["Mcp-Name"] = str(params.get(named_by))
        return headers | self.extra

    def begin(self) -> Response | None:
        """Initialize, where the version has sessions."""
        if self.version == MODERN:
            return None
        message = self.request(
            "initialize",
            {
                "protocolVersion": self.version,
                "capabilities": self.capabilities,
                "clientInfo": {"name": "talk", "version": "1"},
            },
        )
        response = self.post(message)
        self.session = response.headers["mcp-session-id"]
        return response

    def call(self, tool: str, arguments: dict[str, Any] | None = None, **more: Any) -> Response:
        """tools/call, answered in one piece."""
        return self.ask("tools/call", {"name": tool, "arguments": arguments or {}, **more})

    def ask(self, method: str, params: dict[str, Any] | None = None, **headers: str) -> Response:
        """A request, answered in one piece."""
        return self.post(self.request(method, params), **headers)

    def post(self, message: Any, **headers: str) -> Response:
        """Any JSON value as a body."""
        method = message.get("method") if isinstance(message, dict) else None
        sent = self.headers(message) | _header_names(headers)
        response = self.send("POST", json.dumps(message).encode(), sent)
        if response.headers.get("content-type") == "application/json":
            for each in response.json if isinstance(response.json, list) else [response.json]:
                validated(each, version=self.version, method=method)
        return response

    def send(self, verb: str, body: bytes | None, headers: Mapping[str, str]) -> Response:
        """One HTTP exchange."""
        with self.connection(verb, body, headers) as raw:
            shown = {name.lower(): value for name, value in raw.getheaders()}
            return Response(raw.status, shown, raw.read())

    @contextmanager
    def stream(self, message: dict[str, Any], **headers: str) -> Iterator[Stream]:
        """A request answered by a stream."""
        sent = self.headers(message) | _header_names(headers)
        with self.connection("POST", json.dumps(message).encode(), sent) as raw:
            assert raw.getheader("content-type") == "text/event-stream", raw.read()
            yield Stream(raw, self.version, message["method"])

    @contextmanager
    def listen(self, **headers: str) -> Iterator[Stream]:
        """The GET stream of the session."""
        sent = self.headers() | {"Accept": "text/event-stream"} | _header_names(headers)
        with self.connection("GET", None, sent) as raw:
            assert raw.getheader("content-type") == "text/event-stream", raw.read()
            yield Stream(raw, self.version, None)

    @contextmanager
    def connection(
        self, verb: str, body: bytes | None, headers: Mapping[str, str]
    ) -> Iterator[http.client.HTTPResponse]:
        """The response while its connection is open; leaving closes the connection."""
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.netloc, timeout=20)
        try:
            connection.putrequest(verb, parts.path, skip_host="Host" in headers)
            for name, value in headers.items():
                connection.putheader(name, value)
            if body is not None and "Transfer-Encoding" not in headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            yield connection.getresponse()
        finally:
            connection.close()


def _header_names(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
