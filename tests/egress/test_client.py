import asyncio
import gzip
import tracemalloc
import zlib
from typing import Any

import pytest

from egress.servers import (
    RawServer,
    Seen,
    answer,
    in_turn,
    resets,
    then_closes,
    then_hangs,
    unused_port,
)
from msil_mcp.egress import (
    Answer,
    AnswerTooLarge,
    Egress,
    EgressRefused,
    FetchFailed,
    UpstreamDisconnected,
    UpstreamGarbled,
    UpstreamTimeout,
    UpstreamUnreachable,
)

pytestmark = pytest.mark.anyio


async def ask(egress: Egress, url: str, **options: Any) -> Answer:
    facts: dict[str, Any] = {
        "method": "GET",
        "timeout_seconds": 5.0,
        "max_bytes": 1 << 20,
        "purpose": "test",
        "allow_private": True,
    }
    return await egress.request(url=url, **(facts | options))


async def test_answer_carries_status_headers_body_and_time(
    egress: Egress, server: RawServer
) -> None:
    url = server.on("/a", answer(418, b'{"a":1}', headers={"X-Thing": "yes"}))
    got = await ask(egress, url)
    assert (got.status, got.headers["x-thing"], got.body) == (418, "yes", b'{"a":1}')
    assert 0 < got.seconds < 5


async def test_url_is_sent_as_given_and_headers_are_the_callers(
    egress: Egress, server: RawServer
) -> None:
    server.on("/a%2Fb/%e0%a4%95", answer())
    await ask(
        egress,
        server.url + "/a%2Fb/%e0%a4%95?q=%20+&r",
        headers=(("Accept", "application/json"), ("X-Twice", "1"), ("X-Twice", "2")),
    )
    seen = server.seen[0]
    assert seen.path == "/a%2Fb/%e0%a4%95?q=%20+&r"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["user-agent"].startswith("msil-mcp/")
    assert seen.headers["accept-encoding"] == "gzip, deflate"


async def test_connections_are_kept_and_reused(egress: Egress, server: RawServer) -> None:
    url = server.on("/a", answer())
    for _ in range(3):
        await ask(egress, url)
    assert [seen.connection for seen in server.seen] == [1, 1, 1]


async def test_redirect_is_an_answer_and_not_followed(egress: Egress, server: RawServer) -> None:
    target = server.on("/target", answer())
    url = server.on("/r", answer(302, headers={"Location": target}))
    assert (await ask(egress, url)).status == 302
    assert [seen.path for seen in server.seen] == ["/r"]


async def test_cookies_are_never_kept(egress: Egress, server: RawServer) -> None:
    url = server.on("/a", answer(headers={"Set-Cookie": "session=secret; Path=/"}))
    await ask(egress, url)
    await ask(egress, url)
    assert "cookie" not in server.seen[1].headers


async def test_post_without_body_claims_no_content_type(egress: Egress, server: RawServer) -> None:
    url = server.on("/a", answer())
    await ask(egress, url, method="POST")
    assert "content-type" not in server.seen[0].headers
    await ask(egress, url, method="POST", body=b"{}", headers={"Content-Type": "application/json"})
    assert server.seen[1].headers["content-type"] == "application/json"
    assert server.seen[1].body == b"{}"


async def test_large_request_body_arrives_whole(egress: Egress, server: RawServer) -> None:
    url = server.on("/a", answer())
    body = b"x" * (3 << 20)
    await ask(egress, url, method="POST", body=body, headers={"Content-Type": "text/plain"})
    assert server.seen[0].body == body


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_compressed_answer_is_decompressed(
    egress: Egress, server: RawServer, coding: str
) -> None:
    plain = b'{"text":"' + b"abc" * 100_000 + b'"}'
    packed = gzip.compress(plain) if coding == "gzip" else zlib.compress(plain)
    url = server.on("/z", answer(body=packed, headers={"Content-Encoding": coding}))
    assert (await ask(egress, url)).body == plain


async def test_gzip_bomb_is_refused_in_bounded_memory(egress: Egress, server: RawServer) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(1 << 20)) for _ in range(100)) + packer.flush()
    url = server.on("/z", answer(body=packed, headers={"Content-Encoding": "gzip"}))
    await ask(egress, server.on("/a", answer()))
    tracemalloc.start()
    try:
        with pytest.raises(AnswerTooLarge, match="1,048,576 bytes"):
            await ask(egress, url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 12 << 20


async def test_answer_of_exactly_the_cap_is_read_and_one_byte_more_is_not(
    egress: Egress, server: RawServer
) -> None:
    assert len((await ask(egress, server.on("/e", answer(body=b"x" * 1000)), max_bytes=1000)).body)
    with pytest.raises(AnswerTooLarge):
        await ask(egress, server.on("/m", answer(body=b"x" * 1001)), max_bytes=1000)


async def test_silence_after_the_request_is_a_timeout_that_may_have_had_effects(
    egress: Egress, server: RawServer
) -> None:
    url = server.on("/h", then_hangs(server))
    started = asyncio.get_running_loop().time()
    with pytest.raises(UpstreamTimeout) as caught:
        await ask(egress, url, timeout_seconds=0.1)
    assert asyncio.get_running_loop().time() - started < 0.35
    assert caught.value.dispatched
    assert "0.1 seconds" in str(caught.value)


async def test_dripping_answer_ends_at_the_deadline(egress: Egress, server: RawServer) -> None:
    async def drip(_seen: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not server.released.is_set():
            writer.write(b"x")
            await asyncio.sleep(0.01)

    with pytest.raises(UpstreamTimeout):
        await ask(egress, server.on("/d", drip), timeout_seconds=0.1)


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (b"", UpstreamDisconnected),
        (b"HTTP/1.1 200 OK\r\nContent-Len", UpstreamDisconnected),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", UpstreamDisconnected),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
            UpstreamDisconnected,
        ),
        (b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n", UpstreamGarbled),
        (b"\x00\xff\x16\x03\x01garbage\r\n\r\n", UpstreamGarbled),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\nx\r\n", UpstreamGarbled),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", UpstreamGarbled),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip",
            UpstreamGarbled,
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 8\r\n\r\nnot brot",
            UpstreamGarbled,
        ),
    ],
)
async def test_broken_answer_becomes_a_typed_error(
    egress: Egress, server: RawServer, reply: bytes, error: type[Exception]
) -> None:
    url = server.on("/b", then_closes(reply))
    with pytest.raises(error) as caught:
        await ask(egress, url)
    assert caught.value.dispatched  # type: ignore[attr-defined]
    assert "127.0.0.1" not in str(caught.value)
    assert "aiohttp" not in str(caught.value)


async def test_reset_is_a_disconnect(egress: Egress, server: RawServer) -> None:
    with pytest.raises(UpstreamDisconnected):
        await ask(egress, server.on("/r", resets))


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "POST"])
async def test_request_on_a_lost_connection_is_never_repeated_unseen(
    egress: Egress, server: RawServer, method: str
) -> None:
    url = server.on("/w", in_turn(answer(), then_closes()))
    await ask(egress, url, method=method)
    with pytest.raises(UpstreamDisconnected):
        await ask(egress, url, method=method)
    assert len(server.seen) == 2


async def test_refused_connection_says_nothing_was_sent(egress: Egress) -> None:
    with pytest.raises(UpstreamUnreachable, match="Nothing was sent") as caught:
        await ask(egress, f"http://127.0.0.1:{unused_port()}/")
    assert not caught.value.dispatched


async def test_unknown_name_is_unreachable(egress: Egress) -> None:
    with pytest.raises(UpstreamUnreachable, match="host name"):
        await ask(egress, "http://nowhere.invalid/")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.com/",
        "file:///etc/passwd",
        "//example.com/",
        "/relative",
        "http://",
        "http://user:pass@example.com/",
        "http://user@example.com/",
        "http://example.com/a b",
        "http://example.com/a\r\nX-Evil: 1",
        "http://example.com/\u0915",
        "http://example.com:99999/",
        "http://[::1/",
        "http://2130706433/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "",
    ],
)
async def test_url_that_must_not_be_sent_is_refused(egress: Egress, url: str) -> None:
    with pytest.raises(EgressRefused):
        await ask(egress, url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "LOCALHOST.", "0x7f.0.0.1"]
)
async def test_private_origin_is_refused_without_permission(
    egress: Egress, server: RawServer, host: str
) -> None:
    with pytest.raises(EgressRefused):
        await ask(egress, f"http://{host}:{server.port}/", allow_private=False)
    assert server.connections == 0


async def test_pooled_private_connection_serves_nobody_without_permission(
    egress: Egress, server: RawServer
) -> None:
    url = server.on("/a", answer()).replace("127.0.0.1", "localhost")
    await ask(egress, url)
    with pytest.raises(EgressRefused):
        await ask(egress, url, allow_private=False)
    assert len(server.seen) == 1


async def test_header_injection_is_refused(egress: Egress, server: RawServer) -> None:
    with pytest.raises(EgressRefused):
        await ask(egress, server.on("/a", answer()), headers={"X": "a\r\nX-Evil: 1"})
    assert not server.seen


async def test_cancelled_request_closes_its_connection(egress: Egress, server: RawServer) -> None:
    gone = asyncio.Event()

    async def hang(seen: Seen, writer: asyncio.StreamWriter) -> None:
        await seen.reader.read()
        gone.set()

    task = asyncio.create_task(ask(egress, server.on("/h", hang)))
    await server.arrived.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(1):
        await gone.wait()


async def test_fetch_returns_the_document_and_repeats_once_on_a_lost_connection(
    egress: Egress, server: RawServer
) -> None:
    url = server.on("/doc", in_turn(then_closes(), answer(200, b"{}")))
    got = await egress.fetch(url, purpose="test", allow_private=True)
    assert got.body == b"{}"
    assert len(server.seen) == 2


@pytest.mark.parametrize(("status", "hint"), [(404, "Check the address"), (302, "Redirects")])
async def test_fetch_of_anything_but_200_fails_with_a_hint(
    egress: Egress, server: RawServer, status: int, hint: str
) -> None:
    with pytest.raises(FetchFailed, match=hint):
        await egress.fetch(server.on("/doc", answer(status)), purpose="test", allow_private=True)


async def test_request_before_start_is_refused_politely(server: RawServer) -> None:
    from msil_mcp.settings import Settings

    with pytest.raises(UpstreamUnreachable, match="starting or stopping"):
        await ask(Egress(Settings(_env_file=None)), server.url)
