import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from egress.servers import answer, raw_server, unused_port
from msil_mcp.egress import Egress, EgressMisconfigured, UpstreamUnreachable
from msil_mcp.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A self-signed certificate with its key, for 127.0.0.1 and secure.example."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("secure.example")]
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        built.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def server_context(path: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@asynccontextmanager
async def client(**settings: object) -> AsyncIterator[Egress]:
    egress = Egress(Settings(_env_file=None, **({"https_proxy": ""} | settings)))
    await egress.start()
    try:
        yield egress
    finally:
        await egress.close()


async def get(egress: Egress, url: str, *, allow_private: bool = True) -> int:
    got = await egress.request(
        method="GET",
        url=url,
        timeout_seconds=5,
        max_bytes=1000,
        purpose="test",
        allow_private=allow_private,
    )
    return got.status


async def test_untrusted_certificate_is_refused(certificate: Path) -> None:
    async with raw_server(server_context(certificate)) as server, client() as egress:
        with pytest.raises(UpstreamUnreachable, match="certificate is not trusted"):
            await get(egress, f"https://127.0.0.1:{server.port}/a")
        assert not server.seen


async def test_certificate_of_the_configured_bundle_is_trusted(certificate: Path) -> None:
    async with (
        raw_server(server_context(certificate)) as server,
        client(ssl_cert_file=certificate) as egress,
    ):
        server.on("/a", answer())
        assert await get(egress, f"https://127.0.0.1:{server.port}/a") == 200


async def test_certificate_for_another_name_is_refused(certificate: Path) -> None:
    async with (
        raw_server(server_context(certificate)) as server,
        client(ssl_cert_file=certificate) as egress,
    ):
        with pytest.raises(UpstreamUnreachable, match="certificate is not trusted"):
            await get(egress, f"https://localhost:{server.port}/a")


async def test_plain_server_where_tls_was_asked_is_unreachable() -> None:
    async def answer_plainly(_reader: object, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(answer_plainly, "127.0.0.1", 0)
    async with listening, client() as egress:
        port = listening.sockets[0].getsockname()[1]
        with pytest.raises(UpstreamUnreachable, match="TLS"):
            await get(egress, f"https://127.0.0.1:{port}/a")


async def test_unreadable_bundle_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(EgressMisconfigured, match="SSL_CERT_FILE"):
        await Egress(Settings(_env_file=None, ssl_cert_file=tmp_path / "none.pem")).start()


async def test_proxy_that_is_no_url_stops_the_start() -> None:
    egress = Egress(Settings(_env_file=None, https_proxy="proxy:3128"))
    with pytest.raises(EgressMisconfigured, match="HTTPS_PROXY"):
        await egress.start()


@asynccontextmanager
async def tunnel(target_port: int) -> AsyncIterator[tuple[str, list[str]]]:
    """A CONNECT proxy that leads every tunnel to one local port."""
    asked: list[str] = []
    pumps: set[asyncio.Task[None]] = set()

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.decode().split("\r\n")[0])
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", target_port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        pumps.add(asyncio.create_task(pump(reader, inner_writer)))
        pumps.add(asyncio.create_task(pump(inner_reader, writer)))

    listening = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", asked
    finally:
        listening.close()
        await asyncio.gather(*pumps, return_exceptions=True)


async def test_public_https_goes_through_the_proxy_by_name(certificate: Path) -> None:
    async with (
        raw_server(server_context(certificate)) as server,
        tunnel(server.port) as (url, asked),
    ):
        server.on("/a", answer())
        async with client(ssl_cert_file=certificate, https_proxy=url) as egress:
            assert await get(egress, "https://secure.example/a", allow_private=False) == 200
    assert asked == ["CONNECT secure.example:443 HTTP/1.1"]


async def test_private_origin_is_reached_without_the_proxy(certificate: Path) -> None:
    async with (
        raw_server(server_context(certificate)) as server,
        tunnel(server.port) as (url, asked),
    ):
        server.on("/a", answer())
        async with client(ssl_cert_file=certificate, https_proxy=url) as egress:
            assert await get(egress, f"https://127.0.0.1:{server.port}/a") == 200
    assert asked == []


async def test_proxy_that_is_down_is_named_as_the_reason() -> None:
    async with client(https_proxy=f"http://127.0.0.1:{unused_port()}") as egress:
        with pytest.raises(UpstreamUnreachable, match="outgoing proxy"):
            await get(egress, "https://secure.example/a", allow_private=False)
