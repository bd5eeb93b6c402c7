"""The table of faults, on every protocol version, over real HTTP."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bare_client import MODERN, VERSIONS, Talk

PARSE, REQUEST, METHOD, PARAMS = -32700, -32600, -32601, -32602
HEADER, CAPABILITY, VERSION = -32020, -32021, -32022

UNPARSEABLE = {
    "nothing": b"",
    "truncated": b'{"jsonrpc":"2.0","id":1,"method":"tools/list"',
    "trailing text": b'{"jsonrpc":"2.0","id":1,"method":"ping"} x',
    "bad UTF-8": b'{"jsonrpc":"2.0","id":1,"method":"\xff"}',
    "UTF-16": '{"jsonrpc":"2.0","id":1,"method":"ping"}'.encode("utf-16"),
    "NaN": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":NaN}}',
    "Infinity": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":-Infinity}}',
    "byte order mark": b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}',
    "lone surrogate": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\\ud800"}}',
    "duplicate keys": b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"}',
    "duplicate keys below": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":1,"a":2}}',
    "duplicate keys escaped": b'{"jsonrpc":"2.0","id":1,"params":{"a":1,"\\u0061":2}}',
    "duplicate keys spaced": b'{"jsonrpc" : "2.0", "id" : 1, "id" : 2, "method" : "ping"}',
    "too deep": b'{"jsonrpc":"2.0","id":1,"method":"ping","params":'
    + b'{"a":' * 64
    + b"1"
    + b"}" * 64
    + b"}",
    "far too deep": b"[" * 100_000,
}

ASKED = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
INVALID = {
    "empty batch": [],
    "a string": "tools/list",
    "null": None,
    "no version of JSON-RPC": {"id": 1, "method": "tools/list"},
    "another version of JSON-RPC": ASKED | {"jsonrpc": "1.0"},
    "id null": ASKED | {"id": None},
    "id too large": ASKED | {"id": 2**64},
    "id a fraction": ASKED | {"id": 1.5},
    "id an object": ASKED | {"id": {}},
    "id a boolean": ASKED | {"id": True},
    "method a number": ASKED | {"method": 7},
    "params a list": ASKED | {"params": [1]},
    "neither request nor answer": {"jsonrpc": "2.0", "id": 1},
    "an answer of both kinds": {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}},
}


@pytest.mark.parametrize("body", UNPARSEABLE.values(), ids=UNPARSEABLE.keys())
def test_unparseable_bodies_are_parse_errors(talk: Talk, body: bytes) -> None:
    response = talk.send("POST", body, talk.headers(ASKED))

    assert (response.status, response.code) == (400, PARSE)
    assert response.json["id"] is None


@pytest.mark.parametrize("message", INVALID.values(), ids=INVALID.keys())
def test_what_is_no_message_is_an_invalid_request(talk: Talk, message: Any) -> None:
    response = talk.post(message)

    assert (response.status, response.code) == (400, REQUEST)


def test_a_batch_is_legal_in_one_version_only(talk: Talk) -> None:
    batch = [talk.request("ping"), {"jsonrpc": "2.0", "method": "notifications/initialized"}]

    response = talk.post(batch)

    if talk.version == "2025-03-26":
        assert response.status == 200
        assert [answer["id"] for answer in response.json] == [batch[0]["id"]]
    else:
        assert (response.status, response.code) == (400, REQUEST)


def test_the_deepest_allowed_nesting_is_read(talk: Talk) -> None:
    message = talk.request("tools/list")
    nested: Any = 1
    for _ in range(62):
        nested = [nested]
    message["params"]["nested"] = nested

    assert talk.post(message).status == 200


def test_colons_and_quotes_in_strings_are_no_duplicate_keys(talk: Talk) -> None:
    tricky = {'a":': '":"x" : "', "b : c": ":", "d": ['"e":1', "{[" * 100]}

    response = talk.call("test_simple_text", tricky)

    assert response.status == 200
    assert "result" in response.json


def test_an_unknown_method_is_not_found(talk: Talk) -> None:
    response = talk.ask("tools/lust")

    assert response.code == METHOD
    assert response.status == (404 if talk.is_modern else 200)


@pytest.mark.parametrize(
    "method", ["initialize", "ping", "logging/setLevel", "resources/subscribe"]
)
def test_methods_of_the_legacy_era_are_gone(url: str, method: str) -> None:
    response = Talk(url, MODERN).ask(method)

    assert (response.status, response.code) == (404, METHOD)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "no_such_tool"}),
        ("tools/call", {"name": 7}),
        ("tools/call", {}),
        ("tools/call", {"name": "test_simple_text", "arguments": []}),
        ("tools/list", {"cursor": "2"}),
        ("prompts/get", {"name": "no_such_prompt"}),
        ("prompts/get", {"name": "test_simple_prompt", "arguments": {"a": 1}}),
        ("prompts/list", {"cursor": "no cursor of ours"}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "none"}}),
        (
            "completion/complete",
            {"ref": {"type": "ref/prompt", "name": "?"}, "argument": {"name": "a", "value": ""}},
        ),
        ("tools/call", {"name": "test_simple_text", "_meta": {"msil/idempotencyKey": 7}}),
    ],
)
def test_bad_params_are_named(talk: Talk, method: str, params: dict[str, Any]) -> None:
    response = talk.ask(method, params)

    assert response.code == PARAMS
    assert response.status == (400 if talk.is_modern else 200)
    assert "http" not in response.json["error"]["message"]


def test_an_unknown_resource_has_the_code_of_its_version(talk: Talk) -> None:
    response = talk.ask("resources/read", {"uri": "test://nothing"})

    assert response.code == (PARAMS if talk.is_modern else -32002)
    assert response.json["error"]["data"] == {"uri": "test://nothing"}


def test_an_error_result_is_no_protocol_error(talk: Talk) -> None:
    response = talk.call("test_error_handling")

    assert response.status == 200
    assert response.result["isError"] is True


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-json", "text/json"])
def test_other_content_types_are_unsupported(talk: Talk, content_type: str) -> None:
    assert talk.ask("tools/list", Content_Type=content_type).status == 415


def test_json_with_a_charset_is_supported(talk: Talk) -> None:
    response = talk.ask("tools/list", Content_Type='Application/JSON; charset="UTF-8"')

    assert response.status == 200


def test_a_body_declared_too_large_is_refused_unread(talk: Talk) -> None:
    headers = talk.headers(ASKED) | {"Content-Length": str(5 << 20), "Transfer-Encoding": ""}
    del headers["Transfer-Encoding"]

    with talk.connection("POST", None, headers) as raw:
        assert raw.status == 413


def test_a_body_that_grows_too_large_is_refused(talk: Talk) -> None:
    chunk = b" " * (1 << 20)
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for _ in range(5)) + b"0\r\n\r\n"

    response = talk.send("POST", body, talk.headers(ASKED) | {"Transfer-Encoding": "chunked"})

    assert response.status == 413


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://localhost.evil.example", "file://"]
)
def test_foreign_origins_are_refused(talk: Talk, origin: str) -> None:
    assert talk.ask("tools/list", Origin=origin).status == 403


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8"])
def test_local_origins_are_welcome(talk: Talk, origin: str) -> None:
    assert talk.ask("tools/list", Origin=origin).status == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example:80", "127.0.0.2", ""])
def test_foreign_hosts_are_misdirected(talk: Talk, host: str) -> None:
    assert talk.ask("tools/list", Host=host).status == 421


def test_a_caller_without_a_credential_is_told_where_to_get_one(talk: Talk) -> None:
    response = talk.ask("tools/list", X_Caller="nobody")

    assert response.status == 401
    challenge = response.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert challenge.endswith('/.well-known/oauth-protected-resource/mcp"')


def test_an_answer_nobody_accepts_is_not_made(talk: Talk) -> None:
    assert talk.ask("tools/list", Accept="text/html").status == 406


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*;q=0.5"])
def test_json_is_sent_to_who_accepts_it(talk: Talk, accept: str) -> None:
    response = talk.ask("tools/list", Accept=accept)

    assert response.headers["content-type"] == "application/json"


def test_an_answer_is_streamed_to_who_accepts_only_streams(talk: Talk) -> None:
    with talk.stream(talk.request("tools/list"), Accept="text/event-stream") as stream:
        (message,) = stream.messages()

    assert message["result"]["tools"]


def test_other_paths_below_the_endpoint_are_not_found(talk: Talk) -> None:
    assert talk.at(talk.url + "/a/b").ask("tools/list").status == 404


@pytest.mark.parametrize("verb", ["PUT", "PATCH", "OPTIONS"])
def test_other_verbs_are_not_allowed(talk: Talk, verb: str) -> None:
    response = talk.send(verb, b"", talk.headers())

    assert response.status == 405
    assert response.headers["allow"] == ("POST" if talk.is_modern else "GET, POST, DELETE")


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_the_modern_era_knows_posts_alone(url: str, verb: str) -> None:
    response = Talk(url, MODERN).send(verb, None, {"MCP-Protocol-Version": MODERN})

    assert (response.status, response.headers["allow"]) == (405, "POST")


# The envelope and the headers of the modern era.

Spoil = Callable[[dict[str, Any], dict[str, str]], None]


def _without_meta(message: dict[str, Any], headers: dict[str, str]) -> None:
    del message["params"]["_meta"]


def _without_version(message: dict[str, Any], headers: dict[str, str]) -> None:
    del message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"]


def _without_capabilities(message: dict[str, Any], headers: dict[str, str]) -> None:
    del message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"]


def _bad_level(message: dict[str, Any], headers: dict[str, str]) -> None:
    message["params"]["_meta"]["io.modelcontextprotocol/logLevel"] = "loud"


def _other_version(message: dict[str, Any], headers: dict[str, str]) -> None:
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2099-01-01"


def _no_version_header(message: dict[str, Any], headers: dict[str, str]) -> None:
    del headers["MCP-Protocol-Version"]


def _no_method(message: dict[str, Any], headers: dict[str, str]) -> None:
    del headers["Mcp-Method"]


def _method_in_capitals(message: dict[str, Any], headers: dict[str, str]) -> None:
    headers["Mcp-Method"] = headers["Mcp-Method"].upper()


def _no_name(message: dict[str, Any], headers: dict[str, str]) -> None:
    del headers["Mcp-Name"]


def _other_name(message: dict[str, Any], headers: dict[str, str]) -> None:
    headers["Mcp-Name"] = "=?base64?b3RoZXI=?="


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (_without_meta, PARAMS),
        (_without_version, PARAMS),
        (_without_capabilities, PARAMS),
        (_bad_level, PARAMS),
        (_other_version, HEADER),
        (_no_version_header, HEADER),
        (_no_method, HEADER),
        (_method_in_capitals, HEADER),
        (_no_name, HEADER),
        (_other_name, HEADER),
    ],
)
def test_a_modern_envelope_is_complete_and_its_headers_agree(
    url: str, spoil: Spoil, code: int
) -> None:
    talk = Talk(url, MODERN)
    message = talk.request("tools/call", {"name": "test_simple_text"})
    headers = talk.headers(message)
    spoil(message, headers)

    response = talk.send("POST", json.dumps(message).encode(), headers)

    assert (response.status, response.code) == (400, code)
    assert response.json["id"] == message["id"]


@pytest.mark.parametrize("version", ["2099-01-01", "1", "2026-07-28 "])
def test_an_unknown_version_is_answered_with_those_that_are_served(url: str, version: str) -> None:
    talk = Talk(url, MODERN)
    message = talk.request("server/discover")
    message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] = version
    headers = talk.headers(message) | {"MCP-Protocol-Version": version}

    response = talk.send("POST", json.dumps(message).encode(), headers)

    if version.strip() == MODERN:
        assert (response.status, response.code) == (400, HEADER)
        return
    assert (response.status, response.code) == (400, VERSION)
    assert response.json["error"]["data"] == {"supported": [MODERN], "requested": version}


def test_a_routing_header_sent_twice_is_a_mismatch(url: str) -> None:
    talk = Talk(url, MODERN)
    message = talk.request("tools/call", {"name": "test_simple_text"})
    headers = talk.headers(message) | {"mcp-name": "test_simple_text"}

    response = talk.send("POST", json.dumps(message).encode(), headers)

    assert (response.status, response.code) == (400, HEADER)


def test_an_answer_cannot_be_posted_in_the_modern_era(url: str) -> None:
    response = Talk(url, MODERN).post({"jsonrpc": "2.0", "id": 1, "result": {}})

    assert (response.status, response.code) == (400, REQUEST)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_notification_is_taken_without_an_answer(url: str, version: str) -> None:
    talk = Talk(url, version)
    talk.begin()

    response = talk.post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    assert (response.status, response.body) == (202, b"")


def test_a_capability_that_a_call_needs_must_be_declared(url: str) -> None:
    response = Talk(url, MODERN).call("test_input_required_result_elicitation")

    assert (response.status, response.code) == (400, CAPABILITY)
    assert response.json["error"]["data"] == {"requiredCapabilities": {"elicitation": {}}}


@pytest.mark.parametrize(
    ("arguments", "header", "is_accepted"),
    [
        ({"region": "west"}, "west", True),
        ({"region": "Köln"}, "=?base64?S8O2bG4=?=", True),
        ({}, None, True),
        ({"region": "west"}, "east", False),
        ({"region": "west"}, None, False),
        ({}, "west", False),
        ({"region": "Köln"}, "=?base64?S8O2bG4?=", False),
    ],
)
def test_a_mirrored_argument_equals_its_header(
    url: str, arguments: dict[str, str], header: str | None, is_accepted: bool
) -> None:
    talk = Talk(url, MODERN)
    extra = {} if header is None else {"Mcp-Param-Region": header}

    response = talk.ask(
        "tools/call", {"name": "test_x_mcp_header", "arguments": arguments}, **extra
    )

    if is_accepted:
        assert response.status == 200
    else:
        assert (response.status, response.code) == (400, HEADER)
