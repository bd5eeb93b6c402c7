"""Just enough of an MCP client, in both protocol eras, to check answers and make load."""

import http.client
import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from bench.document import MEASURED, WITNESS, measured_arguments
from bench.processes import NotMeasured

VERSIONS = {"legacy": "2025-06-18", "modern": "2026-07-28"}
ERAS = tuple(VERSIONS)
META = "io.modelcontextprotocol/"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One answer: HTTP status, headers, the body, and the seconds it took."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    def result(self) -> dict[str, Any]:
        """The JSON-RPC result; NotMeasured when there is none."""
        try:
            message = json.loads(self.body)
            result = message["result"]
        except (ValueError, KeyError, TypeError):
            raise NotMeasured(f"HTTP {self.status}: {self.body[:200]!r}") from None
        if self.status != 200 or not isinstance(result, dict):
            raise NotMeasured(f"HTTP {self.status}: {self.body[:200]!r}")
        return result


@dataclass
class Client:
    """Speaks one era over one kept connection; `open` first."""

    url: str
    era: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 60
    session: str | None = None
    _connection: http.client.HTTPConnection | None = None

    @property
    def path(self) -> str:
        """The URL's path, for the load generator."""
        return urlsplit(self.url).path

    def open(self) -> "Client":
        """Legacy: initialize once, and keep the session when one is given. Modern: nothing."""
        if self.era == "modern":
            return self
        about = {"name": "bench", "version": "1"}
        parameters = {
            "protocolVersion": VERSIONS["legacy"], "capabilities": {}, "clientInfo": about,
        }  # fmt: skip
        answer = self.post("initialize", parameters)
        answer.result()
        self.session = answer.headers.get("Mcp-Session-Id")
        headers, _ = self.message("notifications/initialized", {})
        note = json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self._exchange(headers, note)
        return self

    def message(self, method: str, parameters: dict[str, Any]) -> tuple[dict[str, str], str]:
        """Headers and body of a request in this client's era."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSIONS[self.era],
            **self.headers,
        }
        if self.era == "modern":
            headers["Mcp-Method"] = method
            if "name" in parameters:
                headers["Mcp-Name"] = parameters["name"]
            parameters = parameters | {
                "_meta": {
                    f"{META}protocolVersion": VERSIONS["modern"],
                    f"{META}clientCapabilities": {},
                    f"{META}clientInfo": {"name": "bench", "version": "1"},
                }
            }
        elif self.session is not None:
            headers["Mcp-Session-Id"] = self.session
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        return headers, json.dumps(body, separators=(",", ":"))

    def post(self, method: str, parameters: dict[str, Any]) -> Exchange:
        """One request, one answer."""
        return self._exchange(*self.message(method, parameters))

    def list_tools(self) -> tuple[list[str], Exchange]:
        """Names of all tools, and the exchange itself."""
        answer = self.post("tools/list", {})
        result = answer.result()
        if "nextCursor" in result:
            raise NotMeasured("tools/list is paged; the bench compares whole lists")
        return [tool["name"] for tool in result["tools"]], answer

    def call(self, tool: str, number: int) -> Exchange:
        """Call the measured tool for parcel `number`."""
        return self.post("tools/call", {"name": tool, "arguments": measured_arguments(number)})

    def close(self) -> None:
        """Close the connection; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _exchange(self, headers: Mapping[str, str], body: str) -> Exchange:
        address = urlsplit(self.url)
        began = time.perf_counter()
        for attempt in (1, 2):
            if self._connection is None:
                self._connection = http.client.HTTPConnection(
                    address.hostname or "", address.port, timeout=self.timeout
                )
            try:
                self._connection.request("POST", address.path, body, dict(headers))
                answer = self._connection.getresponse()
                content = answer.read()
            except (http.client.HTTPException, OSError):
                # A server may close a connection that stood idle between two legs.
                self.close()
                if attempt == 2:
                    raise
            else:
                return Exchange(answer.status, answer.headers, content, time.perf_counter() - began)
        raise AssertionError("unreachable")


def check_call(answer: Exchange, number: int) -> None:
    """The answer carries the upstream's record of exactly this parcel, or NotMeasured says why."""
    result = answer.result()
    if result.get("isError"):
        raise NotMeasured(f"isError: {str(result)[:200]}")
    record = result.get("structuredContent")
    with suppress(KeyError, IndexError, ValueError, TypeError):
        record = json.loads(result["content"][0]["text"])
    asked = measured_arguments(number)
    got = record if isinstance(record, dict) else {}
    wanted = {"witness": WITNESS, "parcel_id": asked["parcel_id"], "detail": asked["detail"]}
    if {name: got.get(name) for name in wanted} != wanted:
        raise NotMeasured(f"a wrong answer: {answer.body[:300]!r}")


def refuses_bad_input(client: Client, tool: str) -> bool:
    """Whether an argument outside its enum is refused before the upstream."""
    bad = measured_arguments(1) | {"detail": "nonsense"}
    answer = client.post("tools/call", {"name": tool, "arguments": bad})
    message = json.loads(answer.body)
    return "error" in message or bool(message.get("result", {}).get("isError"))


def measured_tool(names: list[str]) -> str:
    """The measured tool's name, which a server may have prefixed."""
    for name in names:
        if name.endswith(MEASURED):
            return name
    raise NotMeasured(f"{MEASURED} is not among the {len(names)} listed tools")
