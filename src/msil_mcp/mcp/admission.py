"""What is checked of every HTTP request before its protocol era is known.

Host and Origin defend a server on a person's own machine against DNS rebinding; media types say
whether the body can be read and the answer understood. Rejections are HTTP answers, since there
is no JSON-RPC message yet.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from msil_mcp.errors import MsilError
from msil_mcp.settings import LOOPBACK, Settings

LOOPBACK_HOSTS: Final = LOOPBACK | {"[::1]"}
REMEMBERED: Final = 64


class MisdirectedRequest(MsilError):
    """The Host header names somebody else."""

    status = 421
    slug = "bad_host"

    def __init__(self, host: str) -> None:
        super().__init__(host=host[:100])


class OriginRefused(MsilError):
    """A web page of a foreign origin made the request."""

    status = 403
    slug = "bad_origin"

    def __init__(self, origin: str) -> None:
        super().__init__(origin=origin[:100])


class UnsupportedMediaType(MsilError):
    """The body is not declared as JSON."""

    status = 415
    slug = "unsupported_media_type"


class NotAcceptable(MsilError):
    """The client accepts nothing that could be sent."""

    status = 406
    slug = "not_acceptable"

    def __init__(self, needed: str) -> None:
        super().__init__(needed=needed)


@dataclass(frozen=True, slots=True)
class Accepted:
    """Which answers a client's Accept header admits."""

    json: bool
    events: bool


class Admission:
    """Decides on hosts and origins by the settings; remembers what it decided."""

    def __init__(self, settings: Settings) -> None:
        public = urlsplit(settings.base_url)
        self._hosts = frozenset(
            {settings.public_host.lower(), *(host.lower() for host in settings.allowed_hosts)}
        )
        self._origins = frozenset(
            {
                f"{public.scheme}://{public.netloc}".lower(),
                *(origin.rstrip("/").lower() for origin in settings.allowed_origins),
            }
        )
        self._admits_host = lru_cache(REMEMBERED)(self._host_is_ours)
        self._admits_origin = lru_cache(REMEMBERED)(self._origin_is_ours)

    def check(self, headers: dict[str, str]) -> None:
        """Raise MisdirectedRequest or OriginRefused unless both headers are ours."""
        host = headers.get("host", "")
        if not self._admits_host(host):
            raise MisdirectedRequest(host)
        origin = headers.get("origin")
        if origin is not None and not self._admits_origin(origin):
            raise OriginRefused(origin)

    def _host_is_ours(self, host: str) -> bool:
        host = host.lower()
        name = _without_port(host)
        return name in LOOPBACK_HOSTS or host in self._hosts or name in self._hosts

    def _origin_is_ours(self, origin: str) -> bool:
        origin = origin.lower()
        if origin in self._origins:
            return True
        scheme, separator, host = origin.partition("://")
        return (
            bool(separator)
            and scheme in {"http", "https"}
            and (_without_port(host) in LOOPBACK_HOSTS)
        )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


@lru_cache(REMEMBERED)
def is_json(content_type: str) -> bool:
    """Whether a Content-Type is JSON in UTF-8."""
    media_type, _, parameters = content_type.partition(";")
    if media_type.strip().lower() != "application/json":
        return False
    charset = parameters.strip().lower().replace('"', "").partition("charset=")[2].strip()
    return charset in {"", "utf-8", "utf8", "us-ascii"}


@lru_cache(REMEMBERED)
def accepted(accept: str) -> Accepted:
    """What an Accept header admits; an absent one admits everything."""
    if not accept.strip():
        return Accepted(json=True, events=True)
    ranges = {
        media_range.partition(";")[0].strip().lower()
        for media_range in accept.split(",")
        if not _refused(media_range)
    }
    return Accepted(
        json=not ranges.isdisjoint({"application/json", "application/*", "*/*"}),
        events=not ranges.isdisjoint({"text/event-stream", "text/*", "*/*"}),
    )


def _refused(media_range: str) -> bool:
    quality = media_range.lower().replace(" ", "").partition(";q=")[2].partition(";")[0]
    return quality.strip("0.") == "" and quality != ""
