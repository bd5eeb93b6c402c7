"""Where events may be posted to, as far as the URL alone can tell.

The address behind a name is judged when it is connected to, by egress.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from msil_mcp.egress import refusal
from msil_mcp.identity.roles import ADMINISTRATOR
from msil_mcp.locales import Message
from msil_mcp.principal import Principal
from msil_mcp.webhooks.errors import BadTarget, PrivateTarget

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


def check_target(url: str, *, allow_private: bool, by: Principal) -> None:
    """Raises BadTarget, or PrivateTarget when only an administrator may ask for this."""
    if allow_private and ADMINISTRATOR not in by.roles:
        raise PrivateTarget
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise BadTarget(Message("reasons.webhook.invalid")) from None
    if not _PRINTABLE.fullmatch(url) or parts.scheme not in {"http", "https"} or not host:
        raise BadTarget(Message("reasons.webhook.scheme"))
    if parts.username is not None or parts.password is not None:
        raise BadTarget(Message("reasons.webhook.credentials"))
    if parts.fragment:
        raise BadTarget(Message("reasons.webhook.fragment"))
    if parts.scheme == "http" and not allow_private:
        raise BadTarget(Message("reasons.webhook.https"))
    if reason := _refused(host, allow_private=allow_private):
        raise BadTarget(reason)


def host_of(url: str) -> str:
    """What may be told of a URL whose path may hold a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _refused(host: str, *, allow_private: bool) -> Message | None:
    if f".{host.rstrip('.').lower()}".endswith(".localhost"):
        host = "127.0.0.1"
    try:
        address = str(ip_address(host))
    except ValueError:
        return None
    return refusal(address, allow_private=allow_private)
