"""`serve --stdio`: a bridge for clients that start a program, to a server that is running.

Each line of stdin is a JSON-RPC message, sent as a POST; whatever comes back, plain or streamed,
is a line of stdout. The API key comes from MSIL_API_KEY, the address from --url or MSIL_MCP_URL.
Nothing is decided here: the server sees the same requests as from any HTTP client.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import msgspec

from msil_mcp.cli.output import fail, load_settings

META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
LINE_LIMIT: Final = 16 << 20
PARSE_ERROR: Final = -32700
INTERNAL_ERROR: Final = -32603


async def bridge(*, url: str | None) -> None:
    """Run until stdin ends; then finish what is under way and end the session."""
    settings = load_settings()
    if settings.api_key is None:
        fail("Set MSIL_API_KEY to a key of the server; make one with: msil-mcp keys create", code=2)
    target = url or settings.mcp_url or f"{settings.base_url}/mcp"
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    headers = {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        await Bridge(http, url=target).run(reader)


class Bridge:
    """One client's conversation: its session, its protocol version, its open requests."""

    def __init__(self, http: aiohttp.ClientSession, *, url: str) -> None:
        self._http = http
        self._url = url
        self._session: str | None = None
        self._version: str | None = None
        self._stream: asyncio.Task[None] | None = None

    async def run(self, lines: asyncio.StreamReader) -> None:
        """Forward every line; requests run side by side, in the order they came."""
        async with asyncio.TaskGroup() as tasks:
            while line := await lines.readline():
                if not line.strip():
                    continue
                try:
                    message = msgspec.json.decode(line)
                except msgspec.DecodeError as error:
                    _write(_error(None, PARSE_ERROR, f"The line is not JSON: {error}"))
                    continue
                work = self._forward(message, line)
                if isinstance(message, dict) and message.get("method") == "initialize":
                    await work
                else:
                    tasks.create_task(work)
        await self._end()

    async def _forward(self, message: Any, line: bytes) -> None:
        request_id = message.get("id") if isinstance(message, dict) else None
        try:
            headers = self._headers(message)
            async with self._http.post(self._url, data=line, headers=headers) as response:
                await self._relay(response, message)
        except aiohttp.ClientError as error:
            sentence = f"The server at {self._url} cannot be reached ({type(error).__name__})."
            if request_id is not None:
                _write(_error(request_id, INTERNAL_ERROR, sentence))
        self._listen(message)

    def _headers(self, message: Any) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        parameters = message.get("params") if isinstance(message, dict) else None
        meta = parameters.get("_meta") if isinstance(parameters, dict) else None
        modern = meta.get(META_VERSION) if isinstance(meta, dict) else None
        if isinstance(modern, str) and isinstance(parameters, dict):
            method = str(message.get("method", ""))
            headers |= {"MCP-Protocol-Version": modern, "Mcp-Method": method}
            if method in NAMED:
                headers["Mcp-Name"] = str(parameters.get(NAMED[method], ""))
        elif self._version:
            headers["MCP-Protocol-Version"] = self._version
        return headers

    async def _relay(self, response: aiohttp.ClientResponse, message: Any) -> None:
        if response.content_type == "text/event-stream":
            async for data in events(response.content):
                _write(data)
            return
        body = await response.read()
        if response.content_type == "application/json" and body:
            self._note_session(response, message, body)
            _write(body)
        elif response.status >= 400 and isinstance(message, dict) and "id" in message:
            detail = body.decode(errors="replace")[:500] or response.reason or "refused"
            _write(_error(message["id"], INTERNAL_ERROR, f"HTTP {response.status}: {detail}"))

    def _note_session(self, response: aiohttp.ClientResponse, message: Any, body: bytes) -> None:
        if not isinstance(message, dict) or message.get("method") != "initialize":
            return
        self._session = response.headers.get("Mcp-Session-Id")
        result = msgspec.json.decode(body).get("result")
        if isinstance(result, dict):
            self._version = result.get("protocolVersion")

    def _listen(self, message: Any) -> None:
        """Once initialized, also hear what the server says by itself."""
        ready = isinstance(message, dict) and message.get("method") == "notifications/initialized"
        if ready and self._session and self._stream is None:
            self._stream = asyncio.create_task(self._hear())

    async def _hear(self) -> None:
        headers = self._headers(None) | {"Accept": "text/event-stream"}
        try:
            async with self._http.get(self._url, headers=headers) as response:
                if response.status == 200:
                    async for data in events(response.content):
                        _write(data)
        except aiohttp.ClientError:
            return

    async def _end(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
        if self._session:
            headers = self._headers(None)
            async with self._http.delete(self._url, headers=headers):
                self._session = None


async def events(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """The data of each server-sent event that has any."""
    data: list[bytes] = []
    async for line in stream:
        text = line.rstrip(b"\r\n")
        if text.startswith(b"data:"):
            data.append(text[5:].lstrip(b" "))
        elif not text and data:
            joined = b"\n".join(data)
            data = []
            if joined.strip():
                yield joined


def _error(request_id: object, code: int, sentence: str) -> bytes:
    body = {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": sentence}}
    return msgspec.json.encode(body)


def _write(message: bytes) -> None:
    sys.stdout.buffer.write(message.replace(b"\n", b" ") + b"\n")
    sys.stdout.buffer.flush()
