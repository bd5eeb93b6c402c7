"""Which addresses may be connected to, and the resolver that answers no others."""

from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from socket import AddressFamily
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from msil_mcp.egress.errors import EgressRefused
from msil_mcp.locales import Message

PRIVATE: Final = Message("reasons.address.private")
METADATA: Final = frozenset(
    map(
        ip_address,
        (
            "169.254.169.254",  # AWS, Azure, Google Cloud, DigitalOcean, Oracle
            "169.254.170.2",  # AWS ECS task credentials
            "169.254.170.23",  # AWS EKS pod identity
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",  # Google Cloud over IPv6
            "100.100.100.200",  # Alibaba Cloud
            "168.63.129.16",  # Azure's wire server
            "192.0.0.192",  # Oracle Cloud
        ),
    )
)
"""Where clouds hand credentials to whoever asks: never connected to, even when private is."""

# Written out, because what `ipaddress` calls private or global changes between patch releases.
# Sources: the IANA special-purpose registries (RFC 6890 and its updates).
_RESERVED_4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_6: Final = IPv6Network("2000::/3")
_RESERVED_6: Final = tuple(
    IPv6Network(network)
    for network in ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16", "5f00::/16")
)
_COMPATIBLE: Final = IPv6Network("::/96")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_TRANSLATED: Final = IPv6Network("::ffff:0:0:0/96")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a packet to this IPv6 address ends up at, if any."""
    number = int(address)
    if any(address in network for network in (_MAPPED, _TRANSLATED, _NAT64)):
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _COMPATIBLE and number > 1:
        return IPv4Address(number & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return IPv4Address(number >> 80 & 0xFFFFFFFF)
    return None


def _is_reserved(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv4Address):
        return any(address in network for network in _RESERVED_4)
    return address not in _GLOBAL_6 or any(address in network for network in _RESERVED_6)


def is_metadata(address: str) -> bool:
    """Whether a cloud's metadata service answers at this address, in any of its spellings."""
    found = ip_address(address.partition("%")[0])
    inner = _embedded(found) if isinstance(found, IPv6Address) else None
    return found in METADATA or inner in METADATA


@lru_cache(maxsize=4096)
def refusal(address: str, *, allow_private: bool) -> Message | None:
    """Why this IP address may not be connected to, or None when it may."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return Message("reasons.address.ip")
    if is_metadata(address):
        return Message("reasons.address.metadata")
    if allow_private:
        return None
    target = (_embedded(found) or found) if isinstance(found, IPv6Address) else found
    if _is_reserved(target):
        return PRIVATE
    return None


class GuardingResolver(AbstractResolver):
    """Resolves a name and vouches for every address it hands out.

    The connector connects to exactly these addresses, so a name that changes between check and
    connection gains nothing. One bad address among several refuses the name.
    """

    def __init__(self, resolver: AbstractResolver, *, allow_private: bool) -> None:
        self._resolver = resolver
        self._allow_private = allow_private

    @override
    async def resolve(
        self, host: str, port: int = 0, family: AddressFamily = AddressFamily.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for result in found:
            if reason := refusal(result["host"], allow_private=self._allow_private):
                raise EgressRefused(reason)
        return found

    @override
    async def close(self) -> None:
        await self._resolver.close()
