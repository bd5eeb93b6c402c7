"""Names are resolved once, every address is vouched for, and the vouched address is used."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from egress.servers import RawServer, answer
from msil_mcp.egress import Egress, EgressRefused
from msil_mcp.settings import Settings

pytestmark = pytest.mark.anyio


class Zone(AbstractResolver):
    """A name server of the world outside: each lookup gets the next set of addresses."""

    def __init__(self, *answers: tuple[str, ...]) -> None:
        self.answers = list(answers)
        self.lookups = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.lookups += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for address in addresses
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def resolving(*answers: tuple[str, ...]) -> AsyncIterator[tuple[Egress, Zone]]:
    zone = Zone(*answers)
    client = Egress(Settings(_env_file=None, https_proxy=""), resolver=zone)
    await client.start()
    try:
        yield client, zone
    finally:
        await client.close()


async def get(client: Egress, server: RawServer, *, allow_private: bool) -> int:
    answered = await client.request(
        method="GET",
        url=f"http://api.example:{server.port}/a",
        timeout_seconds=5,
        max_bytes=1000,
        purpose="test",
        allow_private=allow_private,
    )
    return answered.status


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("8.8.8.8", "127.0.0.1"), ("169.254.169.254",), ("::ffff:10.0.0.1",)],
)
async def test_name_with_any_private_address_is_refused_and_not_connected_to(
    server: RawServer, addresses: tuple[str, ...]
) -> None:
    async with resolving(addresses) as (client, _):
        with pytest.raises(EgressRefused) as caught:
            await get(client, server, allow_private=False)
    assert server.connections == 0
    assert not any(address in str(caught.value) for address in addresses)


async def test_name_of_a_metadata_service_is_refused_even_with_permission(
    server: RawServer,
) -> None:
    async with resolving(("169.254.169.254",)) as (client, _):
        with pytest.raises(EgressRefused, match="metadata"):
            await get(client, server, allow_private=True)


async def test_allowed_name_is_resolved_once_and_that_address_is_used(server: RawServer) -> None:
    server.on("/a", answer())
    async with resolving(("127.0.0.1",), ("192.0.2.1",)) as (client, zone):
        assert await get(client, server, allow_private=True) == 200
        assert await get(client, server, allow_private=True) == 200
    assert zone.lookups == 1
    assert server.seen[0].headers["host"] == f"api.example:{server.port}"
