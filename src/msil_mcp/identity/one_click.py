"""Signing in with one click, for whoever sits at the machine the server runs on.

Nothing secret is shown, so everything else must be certain: the server listens on loopback only,
the request came over loopback and through no proxy, and was made by a page that this very server
showed. The last keeps away what other pages in the same browser may try (forged requests), and the
names keep away pages of other hosts that a resolver was talked into sending here (DNS rebinding).
"""

import ipaddress
from typing import Final

from starlette.requests import HTTPConnection

from msil_mcp.errors import Forbidden
from msil_mcp.identity.roles import ADMINISTRATOR
from msil_mcp.identity.sessions import host_of
from msil_mcp.identity.snapshot import IdentitySnapshot, UserRecord
from msil_mcp.identity.users import FIRST_USERNAME
from msil_mcp.settings import LOOPBACK, Settings

FORWARDING: Final = (
    "cf-connecting-ip",
    "forwarded",
    "true-client-ip",
    "via",
    "x-client-ip",
    "x-forwarded",
    "x-original-host",
    "x-real-ip",
)
"""How the headers begin by which a proxy gives itself away."""


class OneClickRefused(Forbidden):
    """This request may not sign in without a password."""

    slug = "one_click_refused"


class OneClick:
    """Who may sign in with one click, and as whom; `is_possible` where the settings allow it."""

    def __init__(self, settings: Settings) -> None:
        self.is_possible = bool(
            settings.loopback_sign_in
            and settings.is_loopback
            and host_of(settings.base_url) in LOOPBACK
        )

    def is_offered(self, connection: HTTPConnection, snapshot: IdentitySnapshot) -> bool:
        """Whether a page shown to this client may offer it."""
        return (
            self.is_possible
            and _is_at_this_machine(connection)
            and first_administrator(snapshot) is not None
        )

    def admit(self, connection: HTTPConnection, snapshot: IdentitySnapshot) -> UserRecord:
        """Whom the click signs in; OneClickRefused."""
        user = first_administrator(snapshot)
        if user is None or not self.is_offered(connection, snapshot) or not _is_ours(connection):
            raise OneClickRefused
        return user


def first_administrator(snapshot: IdentitySnapshot) -> UserRecord | None:
    """The administrator that was made with the server, while there and still one."""
    for user in snapshot.users.values():
        ours = user.username == FIRST_USERNAME and user.issuer is None
        if ours and ADMINISTRATOR in user.roles:
            return user
    return None


def _is_at_this_machine(connection: HTTPConnection) -> bool:
    headers = connection.headers
    if connection.client is None or any(name.startswith(FORWARDING) for name in headers):
        return False
    try:
        address = ipaddress.ip_address(connection.client.host)
    except ValueError:
        return False
    inner = getattr(address, "ipv4_mapped", None)
    hosts = headers.getlist("host")
    return (
        (inner or address).is_loopback and len(hosts) == 1 and host_of(f"//{hosts[0]}") in LOOPBACK
    )


def _is_ours(connection: HTTPConnection) -> bool:
    """Whether a page of this server sent it; of another port of this machine is another page."""
    origins, site = connection.headers.getlist("origin"), connection.headers.get("sec-fetch-site")
    if len(origins) != 1:
        return False
    scheme, _, netloc = origins[0].partition("://")
    if scheme not in {"http", "https"} or host_of(origins[0]) not in LOOPBACK:
        return False
    if site is not None:
        return site == "same-origin"
    return netloc == connection.headers["host"]
