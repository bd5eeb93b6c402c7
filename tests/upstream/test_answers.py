"""What a model reads of an answer."""

import pytest

from egress.servers import RawServer, answer, resets, then_closes, then_hangs, unused_port
from msil_mcp.upstream import UpstreamInvoker
from upstream.calls import call, tool

pytestmark = pytest.mark.anyio

PROBLEM = "application/problem+json"


@pytest.mark.parametrize(
    ("body", "media", "text", "structured"),
    [
        (b'{"a":1}', "application/json", '{"a":1}', b'{"a":1}'),
        (b' {\r\n  "a": [1,\n 2]\n}\n', "application/json", '{"a":[1,2]}', b'{"a":[1,2]}'),
        (b'\xef\xbb\xbf{"a":1}', "application/json; charset=utf-8", '{"a":1}', b'{"a":1}'),
        (b'{"a":"\xe9"}', "application/json; charset=latin-1", '{"a":"é"}', '{"a":"é"}'.encode()),
        (b'{"a":1}', "application/vnd.api+json", '{"a":1}', b'{"a":1}'),
        (b'{"a":1}', None, '{"a":1}', b'{"a":1}'),
        (b"[1,2]", "application/json", "[1,2]", None),
        (b'"done"', "application/json", '"done"', None),
        (b"{broken", "application/json", "{broken", None),
        (b'{"a":NaN}', "application/json", '{"a":NaN}', None),
        (b"plain \xe2\x82\xb9", "text/plain; charset=utf-8", "plain ₹", None),
        (b"caf\xe9", "text/plain; charset=iso-8859-1", "café", None),
        (b"caf\xe9", "text/plain; charset=nonsense", "caf�", None),
        (b"a;b", "text/csv", "a;b", None),
        (b"<a/>", "application/xml", "<a/>", None),
        (b"just text", None, "just text", None),
        (b"x", "text/plain; charset=rot13", "x", None),
    ],
)
async def test_success_is_text_and_for_objects_structured_too(
    invoker: UpstreamInvoker,
    server: RawServer,
    body: bytes,
    media: str | None,
    text: str,
    structured: bytes | None,
) -> None:
    server.on("/a", answer(200, body, media=media))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.outcome, result.text, result.error) == ("succeeded", text, None)
    assert (bytes(result.structured) if result.structured else None) == structured
    assert result.upstream_status == 200
    assert result.upstream_seconds is not None
    assert result.upstream_seconds > 0


async def test_deep_json_is_text_and_breaks_nothing(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    body = b'{"a":' + b"[" * 4000 + b"]" * 4000 + b"}"
    server.on("/a", answer(200, body))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.outcome, result.structured) == ("succeeded", None)


async def test_huge_integer_breaks_nothing(invoker: UpstreamInvoker, server: RawServer) -> None:
    server.on("/a", answer(200, b'{"a":' + b"9" * 5000 + b"}"))
    assert (await invoker.invoke(call(tool(server.url)))).outcome == "succeeded"


async def test_empty_success_says_done(invoker: UpstreamInvoker, server: RawServer) -> None:
    server.on("/a", answer(204))
    result = await invoker.invoke(call(tool(server.url, method="DELETE", write=True)))
    assert (result.outcome, result.text) == ("succeeded", "Done (204).")


@pytest.mark.parametrize("media", ["image/png", "application/pdf", None])
async def test_binary_answer_is_named_with_its_size(
    invoker: UpstreamInvoker, server: RawServer, media: str | None
) -> None:
    server.on("/a", answer(200, b"\x89PNG\x00" * 400, media=media))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.outcome, result.error) == ("failed", "upstream_answer_unreadable")
    assert "2,000 bytes" in result.text
    assert (media or "binary data") in result.text


@pytest.mark.parametrize(
    ("status", "media", "body", "slug", "text"),
    [
        (
            422,
            PROBLEM,
            b'{"title":"Slot full","detail":"10:00 has no place left.","internal":"x"}',
            "upstream_rejected",
            (
                "The remote service answered 422 (Unprocessable Entity): Slot full: 10:00 has no "
                "place left. Correct the arguments and call again."
            ),
        ),
        (
            400,
            PROBLEM,
            b'{"title":"Invalid","detail":"see errors","errors":[{"pointer":"/date"}]}',
            "upstream_rejected",
            (
                'The remote service answered 400 (Bad Request): Invalid: see errors: [{"pointer":'
                '"/date"}]. Correct the arguments and call again.'
            ),
        ),
        (
            404,
            "application/json",
            b'{"message":"no booking BK1"}',
            "upstream_rejected",
            (
                "The remote service answered 404 (Not Found): no booking BK1. "
                "Check the identifiers in the arguments."
            ),
        ),
        (
            409,
            "application/json",
            b'{"error":{"message":"already cancelled"}}',
            "upstream_rejected",
            (
                "The remote service answered 409 (Conflict): already cancelled. "
                "Read the present state first, then decide."
            ),
        ),
        (
            400,
            "application/json",
            b'{"detail":[{"loc":["body","x"],"msg":"missing"}]}',
            "upstream_rejected",
            (
                'The remote service answered 400 (Bad Request): {"detail":[{"loc":["body","x"],"'
                'msg":"missing"}]}. Correct the arguments and call again.'
            ),
        ),
        (
            418,
            "text/plain",
            b"short\r\n and\x00 stout",
            "upstream_rejected",
            (
                "The remote service answered 418 (I'm a Teapot): short and stout. "
                "Repeating the same call will not help."
            ),
        ),
        (
            400,
            "text/html",
            b"<script>alert(1)</script>",
            "upstream_rejected",
            (
                "The remote service answered 400 (Bad Request): it gave no explanation. "
                "Correct the arguments and call again."
            ),
        ),
        (
            500,
            "application/json",
            b'{"message":"KeyError at /srv/app.py"}',
            "upstream_error",
            (
                "The remote service answered 500 (Internal Server Error): it gave no explanation. "
                "Try again in a moment, and tell an administrator if it goes on."
            ),
        ),
        (
            500,
            PROBLEM,
            b'{"title":"Ledger closed","detail":"until 6 AM"}',
            "upstream_error",
            (
                "The remote service answered 500 (Internal Server Error): Ledger closed: until 6 "
                "AM. Try again in a moment, and tell an administrator if it goes on."
            ),
        ),
        (
            599,
            "text/plain",
            b"Traceback (most recent call last): ...",
            "upstream_error",
            (
                "The remote service answered 599: it gave no explanation. "
                "Try again in a moment, and tell an administrator if it goes on."
            ),
        ),
    ],
)
async def test_refusal_says_why_and_what_to_do(
    invoker: UpstreamInvoker,
    server: RawServer,
    status: int,
    media: str,
    body: bytes,
    slug: str,
    text: str,
) -> None:
    server.on("/a", answer(status, body, media=media))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.outcome, result.error, result.text) == ("failed", slug, text)
    assert (result.rule, result.upstream_status) == ("upstream", status)
    assert result.is_error


async def test_long_explanation_is_cut(invoker: UpstreamInvoker, server: RawServer) -> None:
    server.on("/a", answer(400, b"x" * 3000, media="text/plain"))
    result = await invoker.invoke(call(tool(server.url)))
    assert "x" * 499 + "…" in result.text
    assert len(result.text) < 650


@pytest.mark.parametrize("status", [401, 403])
async def test_refused_credential_is_a_matter_for_an_administrator(
    invoker: UpstreamInvoker, server: RawServer, status: int
) -> None:
    body = b'{"title":"Bad token","detail":"s3cr3t/token-value expired"}'
    server.on("/a", answer(status, body, media=PROBLEM))
    result = await invoker.invoke(call(tool(server.url, bundles=("secured",))))
    assert (result.outcome, result.error) == ("failed", "upstream_unauthorized")
    assert "administrator" in result.text
    assert str(status) in result.text
    assert "s3cr3t" not in result.text


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7.0), ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0), ("soon", None)]
)
async def test_rate_limit_passes_the_waiting_time_on(
    invoker: UpstreamInvoker, server: RawServer, value: str, seconds: float | None
) -> None:
    server.on("/a", answer(429, headers={"Retry-After": value}))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.error, result.retry_after) == ("upstream_rate_limited", seconds)


async def test_redirect_fails_and_is_not_followed(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    server.on("/a", answer(301, headers={"Location": server.on("/b", answer())}))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.outcome, result.error) == ("failed", "upstream_redirected")
    assert [seen.path for seen in server.seen] == ["/a"]


async def test_answer_above_the_cap_fails(invoker: UpstreamInvoker, server: RawServer) -> None:
    server.on("/a", answer(200, b'{"a":"' + b"x" * 10_000 + b'"}'))
    result = await invoker.invoke(call(tool(server.url)))
    assert (result.outcome, result.error) == ("failed", "answer_too_large")


async def test_write_that_was_sent_and_not_answered_is_unknown(
    invoker: UpstreamInvoker, server: RawServer
) -> None:
    half = b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\n{"
    for path, behaviour in {
        "/hang": then_hangs(server),
        "/close": then_closes(),
        "/half": then_closes(half),
        "/reset": resets,
        "/garbage": then_closes(b"nonsense\r\n\r\n"),
        "/502": answer(502),
        "/504": answer(504),
    }.items():
        server.on(path, behaviour)
        version = tool(server.url, path=path, method="POST", write=True)
        result = await invoker.invoke(call(version, seconds=0.15))
        assert (path, result.outcome, result.error) == (
            path,
            "unknown",
            "upstream_outcome_unknown",
        )
        assert result.is_error
    assert len(server.seen) == 7


async def test_write_that_never_left_has_failed(invoker: UpstreamInvoker) -> None:
    version = tool(f"http://127.0.0.1:{unused_port()}", method="POST", write=True)
    result = await invoker.invoke(call(version))
    assert (result.outcome, result.error) == ("failed", "upstream_unreachable")
    assert "Nothing was sent" in result.text


async def test_read_that_times_out_has_failed(invoker: UpstreamInvoker, server: RawServer) -> None:
    server.on("/a", then_hangs(server))
    result = await invoker.invoke(call(tool(server.url), seconds=0.1))
    assert (result.outcome, result.error) == ("failed", "upstream_timeout")
    assert result.upstream_seconds is not None
    assert result.upstream_seconds < 0.35
