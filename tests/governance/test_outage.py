"""REST routes while the database is away, and bodies nobody should have to hold."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from databases import Templates, settings_for
from product.relays import Relay, relay_to
from running import Product, product

pytestmark = pytest.mark.anyio


@pytest.fixture
def cut_off(templates: Templates, booking_url: str) -> Iterator[tuple[Product, Relay]]:
    with templates.clone("postgresql") as url, relay_to("127.0.0.1", 5432) as relay:
        relayed = url.replace("@127.0.0.1/", f"@127.0.0.1:{relay.port}/")
        with product(settings_for(relayed), booking_url=booking_url) as running:
            yield running, relay


async def test_without_its_database_every_route_says_when_to_come_back(
    cut_off: tuple[Product, Relay],
) -> None:
    running, relay = cut_off
    relay.cut()
    paths = (
        "/api/tools",
        "/api/bundles",
        "/api/approvals",
        "/api/audit",
        "/api/keys",
        "/api/users",
    )
    for path in paths:
        reply = await running.request("GET", path, role="administrator")
        assert reply.status == 503, (path, reply.body)
        assert "retry-after" in reply.headers


@pytest.mark.parametrize("length", ["Content-Length", "Transfer-Encoding"])
def test_a_body_beyond_the_limit_is_refused_before_it_is_held(
    shared_product: Product, length: str
) -> None:
    connection = http.client.HTTPConnection(urlsplit(shared_product.url).netloc, timeout=20)
    with closing(connection):
        connection.putrequest("POST", "/api/tools/resolve_vehicle/call")
        connection.putheader("Content-Type", "application/json")
        if length == "Content-Length":
            connection.putheader(length, str(5 << 20))
            connection.endheaders()
        else:
            connection.putheader(length, "chunked")
            connection.endheaders()
            for _ in range(5):
                connection.send(b"100000\r\n" + b"a" * (1 << 20) + b"\r\n")
        assert connection.getresponse().status == 413
