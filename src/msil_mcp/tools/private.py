"""Asks once, at import, whether an API inside the network is meant to be reached."""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from msil_mcp.errors import Unprocessable


class PrivateUpstream(Unprocessable):
    """The API's address is not a public one, and nobody said that this is meant."""

    slug = "private_upstream"

    def __init__(self, host: str) -> None:
        super().__init__(host=host)


async def check_network(base_url: str, *, allow_private: bool) -> None:
    """PrivateUpstream for an address that is not public; a name that does not resolve passes.

    The egress guard checks the address again at every connection; this only asks in time.
    """
    if allow_private:
        return
    host = urlsplit(base_url).hostname or ""
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return
    if any(not ipaddress.ip_address(address[4][0]).is_global for address in found):
        raise PrivateUpstream(host)
