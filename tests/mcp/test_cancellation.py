"""Calls that stop when the client goes or takes them back, and calls that do not."""

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

from bare_client import MODERN, Talk
from conformance.catalogue import ConformanceProvider, done
from conformance.fixture_app import FixtureApp, side_by_side
from msil_mcp.mcp.exchange import Exchange
from msil_mcp.mcp.providers import Outcome
from running import serving

SECONDS = 10


@dataclass
class WaitingProvider(ConformanceProvider):
    """Tools that run until they are stopped or let go, and say what became of them."""

    started: threading.Event = field(default_factory=threading.Event)
    stopped: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._add("read", self._read)
        self._add("write", self._write)

    async def _read(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        self.started.set()
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.stopped.set()
            raise
        self.finished.set()
        return done("read")

    async def _write(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        with exchange.shielded():
            return await self._read(arguments, exchange)


@dataclass
class Waiting:
    url: str
    other_url: str
    provider: WaitingProvider
    server: Any

    def release(self) -> None:
        self.server.loop.call_soon_threadsafe(self.provider.let_go.set)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    provider = WaitingProvider()
    one = FixtureApp(provider=provider)
    two = FixtureApp(bus=one.bus, revocations=one.revocations)
    with serving(side_by_side(one=one, two=two)) as (base_url, server):
        made = Waiting(f"{base_url}/one/mcp", f"{base_url}/two/mcp", provider, server)
        yield made
        made.release()


def begun(url: str, version: str) -> Talk:
    talk = Talk(url, version)
    talk.begin()
    return talk


def leave_during(talk: Talk, tool: str, provider: WaitingProvider) -> None:
    """Send a call and close the connection once it runs."""
    message = talk.request("tools/call", {"name": tool, "arguments": {}})
    parts = urlsplit(talk.url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=SECONDS)
    connection.request("POST", parts.path, json.dumps(message), headers=talk.headers(message))
    assert provider.started.wait(SECONDS)
    connection.close()


@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
def test_a_read_stops_when_its_client_goes(waiting: Waiting, version: str) -> None:
    leave_during(begun(waiting.url, version), "read", waiting.provider)

    assert waiting.provider.stopped.wait(SECONDS)


@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
def test_a_write_finishes_although_its_client_went(waiting: Waiting, version: str) -> None:
    leave_during(begun(waiting.url, version), "write", waiting.provider)
    waiting.release()

    assert waiting.provider.finished.wait(SECONDS)
    assert not waiting.provider.stopped.is_set()


def cancel(talk: Talk, request_id: int) -> None:
    params = {"requestId": request_id, "reason": "changed my mind"}
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
    assert talk.post(note).status == 202


@pytest.mark.parametrize("through", ["url", "other_url"])
def test_a_read_is_taken_back_through_any_replica(waiting: Waiting, through: str) -> None:
    talk = begun(waiting.url, "2025-11-25")
    message = talk.request("tools/call", {"name": "read", "arguments": {}})

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(talk.post, message)
        assert waiting.provider.started.wait(SECONDS)
        cancel(talk.at(getattr(waiting, through)), message["id"])
        response = answered.result(SECONDS)

    assert waiting.provider.stopped.is_set()
    assert response.code == -32800


def test_a_write_is_not_taken_back(waiting: Waiting) -> None:
    talk = begun(waiting.url, "2025-11-25")
    message = talk.request("tools/call", {"name": "write", "arguments": {}})

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(talk.post, message)
        assert waiting.provider.started.wait(SECONDS)
        cancel(talk, message["id"])
        waiting.release()
        response = answered.result(SECONDS)

    assert response.result["content"][0]["text"] == "read"


def test_a_request_of_another_session_is_not_taken_back(waiting: Waiting) -> None:
    talk, other = begun(waiting.url, "2025-11-25"), begun(waiting.url, "2025-11-25")
    message = talk.request("tools/call", {"name": "read", "arguments": {}})

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(talk.post, message)
        assert waiting.provider.started.wait(SECONDS)
        cancel(other, message["id"])
        waiting.release()
        response = answered.result(SECONDS)

    assert response.result["content"][0]["text"] == "read"
