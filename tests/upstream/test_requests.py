"""What the service sees."""

import asyncio
import dataclasses

import pytest

from egress.servers import RawServer, answer
from msil_mcp.upstream import (
    CredentialReference,
    EnvironmentCredentials,
    UpstreamInvoker,
    credential_references,
)
from msil_mcp.upstream.errors import CredentialsMisconfigured
from upstream.calls import PRINCIPAL, call, tool
from upstream.conftest import Build

pytestmark = pytest.mark.anyio


async def test_service_sees_the_built_request_and_the_correlation_id(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    server.on("/b/x%2F1", answer(200, b"{}"))
    version = tool(server.url, path="/b/{id}", method="POST")
    result = await invoker.invoke(
        call(version, arguments={"id": "x/1", "q": "a b", "body": {"n": 1}})
    )
    seen = server.seen[0]
    assert (seen.method, seen.path, seen.body) == ("POST", "/b/x%2F1?q=a%20b", b'{"n":1}')
    assert seen.headers["content-type"] == "application/json"
    assert seen.headers["x-correlation-id"] == "c0ffee"
    assert seen.headers["accept"].startswith("application/json")
    assert seen.headers["user-agent"].startswith("msil-mcp/")
    assert "traceparent" not in seen.headers
    assert result.outcome == "succeeded"


async def test_every_request_is_counted_by_host_and_by_how_it_ended(
    build: Build, server: RawServer
) -> None:
    server.on("/a", answer(404, b"{}"))
    counted: list[tuple[str, str]] = []
    invoker = build(on_request=lambda host, status, _seconds: counted.append((host, status)))
    await invoker.invoke(call(tool(server.url)))
    await invoker.invoke(call(tool("http://127.0.0.1:1", write=True, method="POST")))
    assert counted == [("127.0.0.1", "404"), ("127.0.0.1", "upstream_unreachable")]


async def test_idempotency_key_goes_to_services_that_honour_it_only(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    server.on("/a", answer())
    for honours in (True, False):
        version = tool(server.url, method="POST", write=True, idempotent=honours)
        await invoker.invoke(call(version, idempotency_key="k1"))
    assert "idempotency-key" in server.seen[0].headers
    assert "idempotency-key" not in server.seen[1].headers


async def test_idempotency_key_is_stable_and_differs_between_callers(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    server.on("/a", answer())
    version = tool(server.url, method="POST", write=True, idempotent=True)
    other = dataclasses.replace(PRINCIPAL, id="user:2")
    for principal in (PRINCIPAL, PRINCIPAL, other):
        await invoker.invoke(call(version, idempotency_key="k1", principal=principal))
    first, again, others = (seen.headers["idempotency-key"] for seen in server.seen)
    assert first == again
    assert first != others


@pytest.mark.parametrize(
    ("bundle", "name", "value"),
    [
        ("secured", "authorization", "Bearer s3cr3t/token-value"),
        ("keyed", "x-api-key", "other-key-value"),
        ("basic", "authorization", "Basic b3RoZXIta2V5LXZhbHVl"),
    ],
)
async def test_credential_of_the_bundle_is_sent(
    invoker: UpstreamInvoker, server: RawServer, bundle: str, name: str, value: str
) -> None:
    server.on("/a", answer())
    await invoker.invoke(call(tool(server.url, bundles=("open", bundle))))
    assert server.seen[0].headers[name] == value


async def test_credential_of_the_bundle_called_through_wins(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    server.on("/a", answer())
    version = tool(server.url, bundles=("secured", "keyed"))
    await invoker.invoke(call(version, bundle="keyed"))
    assert server.seen[0].headers["x-api-key"] == "other-key-value"
    assert "authorization" not in server.seen[0].headers


async def test_bundle_the_tool_is_not_in_lends_it_no_credential(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    server.on("/a", answer())
    await invoker.invoke(call(tool(server.url), bundle="secured"))
    assert "authorization" not in server.seen[0].headers


async def test_arguments_set_neither_host_nor_credential(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    server.on("/a", answer())
    version = tool(server.url, bundles=("secured",))
    await invoker.invoke(call(version, arguments={"host": "evil.example", "auth": "Bearer mine"}))
    assert server.seen[0].headers["host"] == f"127.0.0.1:{server.port}"
    assert server.seen[0].headers["authorization"] == "Bearer s3cr3t/token-value"


@pytest.mark.parametrize(
    ("origin", "sent"),
    [
        ("{url}", True),
        ("{url}/any/path", True),
        ("HTTP://127.0.0.1:{port}", True),
        ("https://127.0.0.1:{port}", False),
        ("http://127.0.0.1", False),
        ("http://localhost:{port}", False),
    ],
)
async def test_a_credential_goes_to_its_own_origin_alone(
    build: Build, server: RawServer, origin: str, sent: bool
) -> None:
    server.on("/a", answer())
    at = origin.format(url=server.url, port=server.port)
    bound = {"secured": CredentialReference("bearer", "TOKEN", origin=at)}
    credentials = EnvironmentCredentials(bound, environment={"TOKEN": "s3cr3t/token-value"})
    result = await build(credentials=credentials).invoke(
        call(tool(server.url, bundles=("secured",)))
    )
    assert (result.outcome == "succeeded") is sent
    assert len(server.seen) == sent


async def test_missing_credential_fails_before_anything_is_sent(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    result = await invoker.invoke(call(tool(server.url, bundles=("forgotten",))))
    assert (result.outcome, result.error) == ("failed", "upstream_credential_missing")
    assert "NOT_SET" not in result.text
    assert not server.seen


def test_declared_credentials_become_references() -> None:
    declared = {"b": {"kind": "api_key", "variable": "KEY", "header": "X-Key"}}
    assert credential_references(declared) == {
        "b": CredentialReference("api_key", "KEY", header="X-Key")
    }


@pytest.mark.parametrize("wrong", [{"kind": "magic", "variable": "KEY"}, {"kind": "bearer"}])
def test_wrong_credential_declaration_says_what_to_write(wrong: dict[str, str]) -> None:
    with pytest.raises(CredentialsMisconfigured, match="MSIL_UPSTREAM_CREDENTIALS"):
        credential_references({"b": wrong})


async def test_echoed_credential_never_reaches_the_caller(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    body = b'{"you_sent":"Bearer s3cr3t/token-value","php":"s3cr3t\\/token-value"}'
    server.on("/a", answer(200, body))
    result = await invoker.invoke(call(tool(server.url, bundles=("secured",))))
    assert result.outcome == "succeeded"
    assert "s3cr3t" not in result.text
    assert result.structured is not None
    assert b"s3cr3t" not in bytes(result.structured)


async def test_passed_deadline_sends_nothing(invoker: UpstreamInvoker, server: RawServer) -> None:
    result = await invoker.invoke(call(tool(server.url, write=True), seconds=-1.0))
    assert (result.outcome, result.error) == ("failed", "deadline_passed")
    assert server.connections == 0


async def test_argument_that_cannot_be_sent_is_explained(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    version = tool(server.url, path="/b/{id}")
    result = await invoker.invoke(call(version, arguments={"id": ".."}))
    assert result.outcome == "failed"
    assert not server.seen


async def test_private_address_without_permission_is_refused(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    result = await invoker.invoke(call(tool(server.url, allow_private=False)))
    assert (result.outcome, result.error) == ("failed", "egress_refused")
    assert server.connections == 0


async def test_cancelling_a_call_is_the_one_thing_that_raises(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    async def hang(*_: object) -> None:
        await server.released.wait()

    server.on("/a", hang)
    task = asyncio.create_task(invoker.invoke(call(tool(server.url))))
    await server.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("write", "outcome", "error"),
    [(False, "failed", "upstream_call_broke"), (True, "unknown", "upstream_outcome_unknown")],
)
async def test_defect_on_the_way_is_a_result_that_tells_nothing_of_it(
    build: Build, server: RawServer, write: bool, outcome: str, error: str
) -> None:
    class Broken:
        async def headers(self, *_: object) -> tuple[tuple[str, str], ...]:
            raise KeyError("vault path /secret")

    result = await build(credentials=Broken()).invoke(call(tool(server.url, write=write)))
    assert (result.outcome, result.error) == (outcome, error)
    assert "vault" not in result.text
