"""No test reaches a real model, or anything else beyond this machine."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


class OutsideReached(OSError):
    """A test tried to leave this machine."""


def _is_here(host: object) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host).split("%")[0]).is_loopback
    except ValueError:
        return False


def _is_number(host: object) -> bool:
    """An address in any of its spellings: reading it asks nobody."""
    try:
        socket.inet_aton(str(host))
    except OSError:
        return ":" in str(host)
    return True


@contextmanager
def loopback_only() -> Iterator[None]:
    """Names other than localhost do not resolve, and other addresses do not connect."""
    resolve, connect = socket.getaddrinfo, socket.socket.connect

    def guarded_resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        if not (_is_here(host) or _is_number(host)):
            raise OutsideReached(f"a test tried to resolve {host}")
        return resolve(host, *arguments, **options)

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_here(address[0]):
            raise OutsideReached(f"a test tried to connect to {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        patch.setattr(socket.socket, "connect", guarded_connect)
        yield
