"""Real HTTP peers on ephemeral ports: one that answers bytes as told, and what it saw."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

Behaviour = Callable[["Seen", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """One request as it came over the wire."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    reader: asyncio.StreamReader


@dataclass
class RawServer:
    """Answers by path; an unknown path answers 404. `released` ends every waiting answer."""

    behaviours: dict[str, Behaviour] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, behaviour: Behaviour) -> str:
        self.behaviours[path] = behaviour
        return self.url + path

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        connection = self.connections
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                line, *fields = head.decode("latin-1").split("\r\n")
                method, path, _ = line.split(" ")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (entry.partition(":") for entry in fields if entry)
                }
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                seen = Seen(method, path, headers, body, connection, reader)
                self.seen.append(seen)
                self.arrived.set()
                behaviour = self.behaviours.get(path.partition("?")[0], answer(404))
                await behaviour(seen, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def raw_server(ssl: object = None) -> AsyncIterator[RawServer]:
    server = RawServer()
    listening = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=ssl)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        server.released.set()
        listening.close()


def answer(
    status: int = 200,
    body: bytes = b"",
    *,
    media: str | None = "application/json",
    headers: dict[str, str] | None = None,
) -> Behaviour:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
    if media:
        lines.append(f"Content-Type: {media}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    payload = ("\r\n".join(lines) + "\r\n\r\n").encode() + body

    async def behave(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(payload)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Each request gets the next behaviour; the last one stays."""
    left = list(behaviours)

    async def behave(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(seen, writer)

    return behave


def then_hangs(server: RawServer, first: bytes = b"") -> Behaviour:
    async def behave(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await server.released.wait()

    return behave


def then_closes(first: bytes = b"") -> Behaviour:
    async def behave(_seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        await writer.drain()
        writer.close()

    return behave


async def resets(_seen: Seen, writer: asyncio.StreamWriter) -> None:
    import socket
    import struct

    sock: socket.socket = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def unused_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])
