"""What goes wrong on our side, and lists that are long: the client is told, and told no detail."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import mcp_types as types
import pytest
from structlog.testing import capture_logs

from bare_client import MODERN, VERSIONS, Talk
from conformance.catalogue import ConformanceProvider, done
from conformance.fixture_app import Everybody, FixtureApp
from msil_mcp.errors import Forbidden, Unavailable
from msil_mcp.mcp import changes
from msil_mcp.mcp.app import McpEndpoint
from msil_mcp.mcp.exchange import Caller, Exchange
from msil_mcp.mcp.providers import Fingerprints, Outcome
from msil_mcp.principal import Principal
from running import serving

SECRET = "the database password is hunter2"


class BrokenProvider(ConformanceProvider):
    """Has tools that break, and more prompts than fit on a page."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._add("broken", self._break)
        self._add("broken_later", self._break_later)

    async def _break(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        raise RuntimeError(SECRET)

    async def _break_later(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        await exchange.progress(1)
        raise RuntimeError(SECRET)

    def prompts(self, caller: Caller) -> Sequence[types.Prompt]:
        return [types.Prompt(name=f"prompt-{number:03}") for number in range(450)]


@dataclass
class Doorkeeper(Everybody):
    """Lets a caller in until told otherwise."""

    is_shut: bool = False

    async def authenticate(self, headers: Mapping[str, str], /) -> Principal:
        if self.is_shut or headers.get("x-caller") == "stranger":
            raise Forbidden("Not with this token.")
        return await super().authenticate(headers)


@pytest.fixture(scope="module")
def broken() -> Iterator[str]:
    app = FixtureApp(provider=BrokenProvider()).create()
    # Rendering tracebacks for a console would take longer than all the rest.
    with capture_logs(), serving(app) as (base_url, _):
        yield f"{base_url}/mcp"


def begun(url: str, version: str) -> Talk:
    talk = Talk(url, version)
    talk.begin()
    return talk


@pytest.mark.parametrize("version", VERSIONS)
def test_what_breaks_inside_is_an_internal_error_without_detail(broken: str, version: str) -> None:
    talk = begun(broken, version)

    response = talk.call("broken")

    assert (response.status, response.code) == (500, -32603)
    assert SECRET not in response.body.decode()


@pytest.mark.parametrize("version", ["2025-11-25", MODERN])
def test_what_breaks_on_an_open_stream_ends_it_with_an_error(broken: str, version: str) -> None:
    talk = begun(broken, version)
    params = {"name": "broken_later", "arguments": {}, "_meta": {"progressToken": 1}}

    with talk.stream(talk.request("tools/call", params)) as stream:
        _, response = stream.messages()

    assert response["error"]["code"] == -32603
    assert SECRET not in str(response)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_long_list_comes_in_pages(broken: str, version: str) -> None:
    talk = begun(broken, version)
    names: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        result = talk.ask("prompts/list", {"cursor": cursor} if cursor else {}).result
        names += [prompt["name"] for prompt in result["prompts"]]
        cursor, pages = result.get("nextCursor"), pages + 1

    assert pages == 3
    assert names == [f"prompt-{number:03}" for number in range(450)]


def test_several_providers_are_one_catalogue() -> None:
    app = FixtureApp(more_providers=[ExtraProvider()])
    with serving(app.create()) as (base_url, _):
        talk = Talk(f"{base_url}/mcp", MODERN)

        names = {tool["name"] for tool in talk.ask("tools/list").result["tools"]}

        assert {"extra", "test_simple_text"} <= names
        assert talk.call("extra").result["content"][0]["text"] == "extra"
        assert talk.call("test_simple_text").status == 200


class ExtraProvider(ConformanceProvider):
    def __post_init__(self) -> None:
        self._add("extra", self._extra)

    async def _extra(self, arguments: Mapping[str, Any], exchange: Exchange) -> Outcome:
        return done("extra")


class UnavailableProvider(ConformanceProvider):
    def fingerprints(self, caller: Caller) -> Fingerprints:
        raise Unavailable("Out of touch.", retry_after=3)

    def listing(self, caller: Caller) -> bytes:
        raise Unavailable("Out of touch.", retry_after=3)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_unavailable_catalogue_answers_with_when_to_come_back(version: str) -> None:
    with serving(FixtureApp(provider=UnavailableProvider()).create()) as (base_url, _):
        talk = Talk(f"{base_url}/mcp", version)
        first = {
            "protocolVersion": version,
            "capabilities": {},
            "clientInfo": {"name": "talk", "version": "1"},
        }

        response = talk.ask("tools/list") if talk.is_modern else talk.ask("initialize", first)

    assert (response.status, response.headers["retry-after"]) == (503, "3")
    assert response.code == -32050


def test_a_token_that_is_not_enough_is_challenged() -> None:
    with serving(FixtureApp(authenticator=Doorkeeper()).create()) as (base_url, _):
        response = Talk(f"{base_url}/mcp", MODERN).ask("tools/list", X_Caller="stranger")

    assert response.status == 403
    assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
    assert "resource_metadata=" in response.headers["www-authenticate"]


def test_a_stream_ends_with_the_right_to_have_it() -> None:
    doorkeeper = Doorkeeper()
    app = FixtureApp(authenticator=doorkeeper)
    with serving(app.create()) as (base_url, server):
        talk = begun(f"{base_url}/mcp", "2025-11-25")
        with talk.listen() as stream:
            events = stream.events()
            next(events)
            doorkeeper.is_shut = True
            server.submit(announce(app))

            assert list(events) == []


async def announce(app: FixtureApp) -> None:
    assert app.running is not None
    app.running.changes.announce()


def test_a_quiet_stream_is_kept_alive(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(changes, "KEEP_ALIVE_SECONDS", 0.01)
    with begun(url, "2025-11-25").listen() as stream:
        assert any(line.startswith(b":") for line in stream.raw)


def test_a_process_holds_only_so_many_streams(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(changes, "MAX_STREAMS", 0)
    talk = Talk(url, MODERN)
    listen = talk.request("subscriptions/listen", {"notifications": {}})

    response = talk.post(listen)

    assert (response.status, response.code) == (503, -32050)


def test_one_caller_cannot_take_all_streams(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setattr(changes, "MAX_STREAMS_OF_ONE", 1)
    greedy, other = Talk(url, MODERN, extra={"X-Caller": "greedy"}), Talk(url, MODERN)
    listen = greedy.request("subscriptions/listen", {"notifications": {}})

    with greedy.stream(listen) as held:
        next(held.messages())
        assert greedy.post(listen).status == 503
        with other.stream(listen) as stream:
            assert next(stream.messages())


def test_before_it_runs_the_endpoint_says_so() -> None:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b""}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    scope = {"type": "http", "method": "POST", "path": "/mcp", "headers": []}
    asyncio.run(McpEndpoint()(scope, receive, send))

    assert sent[0]["status"] == 503
    assert (b"retry-after", b"1") in sent[0]["headers"]
