"""Requests that leave this process: guarded, bounded in time and size, pooled."""

import asyncio
import io
import re
import ssl
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver
from aiohttp.http_exceptions import (
    ContentLengthError,
    HttpProcessingError,
    TransferEncodingError,
)
from multidict import CIMultiDict
from yarl import URL

from msil_mcp import __version__
from msil_mcp.egress.addresses import PRIVATE, GuardingResolver, refusal
from msil_mcp.egress.errors import (
    AnswerTooLarge,
    EgressError,
    EgressMisconfigured,
    EgressRefused,
    FetchFailed,
    UpstreamDisconnected,
    UpstreamGarbled,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from msil_mcp.locales import Message
from msil_mcp.settings import Settings

log = structlog.get_logger()

Headers = CIMultiDict[str] | Mapping[str, str] | Iterable[tuple[str, str]]

USER_AGENT: Final = f"msil-mcp/{__version__}"
CONNECTIONS: Final = 1024
CONNECTIONS_PER_ORIGIN: Final = 256
KEEPALIVE_SECONDS: Final = 30.0
CONNECT_SECONDS: Final = 5.0
DNS_SECONDS: Final = 10
LARGE_BODY: Final = 1 << 19

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_PROXY: Final = re.compile(r"https?://[^/]")
_SCHEMES: Final = frozenset({"http", "https"})
_WITH_CONTENT_TYPE: Final = frozenset({"POST", "PUT", "PATCH"})
_NO_CONTENT_TYPE: Final = ("Content-Type",)


class Answer(NamedTuple):
    """A complete answer; `body` is decompressed, `seconds` the time until its last byte."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float


@lru_cache(maxsize=8)
def _timeout(connect: float) -> aiohttp.ClientTimeout:
    # The whole request has its own deadline; aiohttp would round its timers up to whole seconds.
    return aiohttp.ClientTimeout(connect=connect, ceil_threshold=float("inf"))


class Egress:
    """The client. Between `start` and `close` it may be used from its event loop only.

    Requests that may reach private networks use connections of their own, so that one opened
    with that permission never serves a request without it.
    """

    def __init__(self, settings: Settings, *, resolver: AbstractResolver | None = None) -> None:
        self._ca_file = settings.ssl_cert_file
        self._proxy = settings.https_proxy
        self._resolver = resolver
        self._public: aiohttp.ClientSession | None = None
        self._private: aiohttp.ClientSession | None = None
        self._proxied: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Load the CA bundle and open the pools; raises EgressMisconfigured."""
        if self._proxy and not _PROXY.match(self._proxy):
            raise EgressMisconfigured(case="proxy")
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except OSError as error:
            raise EgressMisconfigured(case="certificates", file=self._ca_file) from error
        resolver = self._resolver or aiohttp.ThreadedResolver()
        self._public = _session(context, GuardingResolver(resolver, allow_private=False))
        self._private = _session(context, GuardingResolver(resolver, allow_private=True))
        if self._proxy:
            self._proxied = _session(context, resolver, proxy=self._proxy)

    async def close(self) -> None:
        """Close every connection; requests still running fail."""
        for session in (self._public, self._private, self._proxied):
            if session is not None:
                await session.close()
        self._public = self._private = self._proxied = None

    def _session_for(self, url: URL, *, allow_private: bool) -> aiohttp.ClientSession:
        session = self._private if allow_private else self._public
        if not allow_private and self._proxied is not None and url.scheme == "https":
            # The proxy resolves names; origins allowed on private networks are reached directly.
            session = self._proxied
        if session is None:
            raise UpstreamUnreachable(Message("reasons.connection.not_running"))
        return session

    async def request(
        self,
        *,
        method: str,
        url: str,
        headers: Headers = (),
        body: bytes | None = None,
        timeout_seconds: float,
        max_bytes: int,
        purpose: str,
        allow_private: bool = False,
    ) -> Answer:
        """One request, one complete answer of any status; redirects are answers too.

        `url` is already encoded. `purpose` names the caller in logs. Raises EgressError's
        subclasses; their `dispatched` tells whether the request may have arrived.
        """
        started = time.perf_counter()
        try:
            target = _checked(url, allow_private=allow_private)
            session = self._session_for(target, allow_private=allow_private)
            connect = CONNECT_SECONDS
            if timeout_seconds < 2 * CONNECT_SECONDS:
                # Always ends before the deadline, so that a timeout after it means: was sent.
                connect = round(timeout_seconds * 0.8, 3) or 0.001
            sent = headers if isinstance(headers, CIMultiDict) else CIMultiDict(headers)
            bare = method in _WITH_CONTENT_TYPE and "Content-Type" not in sent
            async with asyncio.timeout(timeout_seconds):
                response = await session.request(
                    method,
                    target,
                    headers=sent,
                    data=body if body is None or len(body) <= LARGE_BODY else io.BytesIO(body),
                    allow_redirects=False,
                    timeout=_timeout(connect),
                    skip_auto_headers=_NO_CONTENT_TYPE if bare else None,
                )
                content = await _read(response, max_bytes=max_bytes)
        except EgressError as error:
            self._log(error, purpose=purpose)
            raise
        except (aiohttp.ClientError, HttpProcessingError, OSError, ValueError) as error:
            translated = _translated(error, timeout_seconds=timeout_seconds)
            self._log(translated, purpose=purpose)
            raise translated from error
        return Answer(response.status, response.headers, content, time.perf_counter() - started)

    def _log(self, error: EgressError, *, purpose: str) -> None:
        log.warning("egress_failed", purpose=purpose, error=error.slug, detail=str(error))

    async def fetch(
        self,
        url: str,
        *,
        purpose: str,
        headers: Headers = (),
        timeout_seconds: float = 10.0,
        max_bytes: int = 8 << 20,
        allow_private: bool = False,
    ) -> Answer:
        """GET a document that must be there: one retry when the connection was lost.

        Raises FetchFailed for every status but 200, and what `request` raises.
        """
        deadline = time.perf_counter() + timeout_seconds
        for last in (False, True):
            try:
                answer = await self.request(
                    method="GET",
                    url=url,
                    headers=headers,
                    timeout_seconds=max(deadline - time.perf_counter(), 0.001),
                    max_bytes=max_bytes,
                    purpose=purpose,
                    allow_private=allow_private,
                )
            except UpstreamDisconnected:
                if last:
                    raise
            else:
                break
        if answer.status != 200:
            raise FetchFailed(answered=answer.status)
        return answer


def _session(
    context: ssl.SSLContext, resolver: AbstractResolver, *, proxy: str | None = None
) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=context,
            resolver=resolver,
            ttl_dns_cache=DNS_SECONDS,
            limit=CONNECTIONS,
            limit_per_host=CONNECTIONS_PER_ORIGIN,
            keepalive_timeout=KEEPALIVE_SECONDS,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"},
        proxy=proxy,
        trust_env=False,
    )
    # aiohttp has no public switch against its own repetition of PUT and DELETE on a lost
    # connection, and a write is never repeated unseen.
    session._retry_connection = False  # noqa: SLF001
    return session


def _checked(url: str, *, allow_private: bool) -> URL:
    """The parsed URL; raises EgressRefused for what is never sent."""
    if not _PRINTABLE.fullmatch(url):
        raise EgressRefused(Message("reasons.address.characters"))
    try:
        target = URL(url, encoded=True)
        host = target.raw_host
        credentials = target.raw_user is not None or target.raw_password is not None
        _ = target.port
    except ValueError as error:
        raise EgressRefused(Message("reasons.address.invalid")) from error
    if target.scheme not in _SCHEMES or not host:
        raise EgressRefused(Message("reasons.address.scheme"))
    if credentials:
        raise EgressRefused(Message("reasons.address.credentials"))
    if ":" in host or host.replace(".", "").isdigit():
        # The connector hands literals to no resolver.
        if reason := refusal(host.strip("[]"), allow_private=allow_private):
            raise EgressRefused(reason)
    elif not allow_private and ("." + host.rstrip(".").lower()).endswith(".localhost"):
        raise EgressRefused(PRIVATE)
    return target


async def _read(response: aiohttp.ClientResponse, *, max_bytes: int) -> bytes:
    content = response.content
    try:
        body = await content.readany()
        if not content.at_eof():
            chunks = [body]
            size = len(body)
            while size <= max_bytes and not content.at_eof():
                chunk = await content.readany()
                size += len(chunk)
                chunks.append(chunk)
            body = b"".join(chunks)
    except BaseException:
        response.close()
        raise
    if len(body) > max_bytes:
        response.close()
        raise AnswerTooLarge(max_bytes=max_bytes)
    return body


def _translated(error: Exception, *, timeout_seconds: float) -> EgressError:
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return UpstreamUnreachable(Message("reasons.connection.late"))
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return UpstreamUnreachable(Message("reasons.connection.certificate"))
    if isinstance(error, aiohttp.ClientSSLError):
        return UpstreamUnreachable(Message("reasons.connection.tls"))
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return UpstreamUnreachable(Message("reasons.connection.name"))
    if isinstance(error, aiohttp.ClientProxyConnectionError | aiohttp.ClientHttpProxyError):
        return UpstreamUnreachable(Message("reasons.connection.proxy"))
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamUnreachable()
    if isinstance(error, TimeoutError):
        return UpstreamTimeout(seconds=timeout_seconds)
    if isinstance(error, aiohttp.InvalidURL):
        return EgressRefused(Message("reasons.address.invalid"))
    if isinstance(error, aiohttp.ClientResponseError | HttpProcessingError):
        return UpstreamGarbled()
    if isinstance(error, aiohttp.ClientPayloadError) and _is_garbled(error):
        return UpstreamGarbled()
    if isinstance(error, aiohttp.ClientError | OSError):
        return UpstreamDisconnected()
    return EgressRefused(Message("reasons.address.http_characters"))


def _is_garbled(error: aiohttp.ClientPayloadError) -> bool:
    cause = error.__cause__
    cut_short = isinstance(cause, ContentLengthError | TransferEncodingError)
    return isinstance(cause, HttpProcessingError) and not cut_short
