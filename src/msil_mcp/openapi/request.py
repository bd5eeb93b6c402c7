"""A tool call as the HTTP request its upstream expects.

Everything known beforehand is compiled once per tool version; building is on the path of every
call. Only the query and what follows the base URL depend on arguments: scheme, host, port and base
path are a constant prefix of every URL.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from msil_mcp.openapi.encoding import (
    Encoder,
    cookie_encoder,
    header_encoder,
    json_bytes,
    path_encoder,
    query_encoder,
)
from msil_mcp.openapi.errors import ArgumentRefused, BaseUrlInvalid
from msil_mcp.openapi.errors import PathEscape as PathEscape
from msil_mcp.openapi.template import BodyBinding, FieldBinding, RequestTemplate

_PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
_PATH_SAFE = "/%:@!$&'()*+,;=~-._"
_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")
_BASE_PATH = re.compile(r"(/[A-Za-z0-9%:@!$&'()*+,;=~._-]+)*/?")


@dataclass(frozen=True, slots=True)
class UpstreamRequest:
    """A request ready to send; the URL is absolute and percent-encoded."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


class RequestBuilder:
    """Builds the requests of one tool version against one base URL; safe to share."""

    __slots__ = ("_body", "_content", "_cookies", "_has_query", "_headers", "_method", "_path",
                 "_query", "_start")  # fmt: skip

    def __init__(self, template: RequestTemplate, base_url: str) -> None:
        self._method = template.method
        path = template.path.partition("#")[0]
        encoders = {
            binding.name: (binding.argument, path_encoder(binding))
            for binding in template.parameters
            if binding.location == "path"
        }
        first, *others = _PLACEHOLDER.split(path)
        self._start = checked_base(base_url) + _literal(first)
        self._path: tuple[tuple[str, Encoder, str], ...] = tuple(
            (*encoders[name], _literal(literal))
            for name, literal in zip(others[::2], others[1::2], strict=True)
        )
        self._has_query = "?" in path
        self._query = tuple(
            (binding.argument, query_encoder(binding))
            for binding in template.parameters
            if binding.location == "query"
        )
        self._headers = tuple(
            (binding.argument, binding.name, header_encoder(binding))
            for binding in template.parameters
            if binding.location == "header"
        )
        self._cookies = tuple(
            (binding.argument, cookie_encoder(binding))
            for binding in template.parameters
            if binding.location == "cookie"
        )
        self._body = _BodyWriter(template.body) if template.body is not None else None
        content_type = template.body.media_type if template.body is not None else ""
        self._content = (("Content-Type", content_type),)

    def build(self, arguments: Mapping[str, Any]) -> UpstreamRequest:
        """The request for arguments that fit the tool's input schema.

        Raises:
            PathEscape: A path argument would address another path.
            ArgumentRefused: A path argument is missing, a header value would end the header, or
                text is not valid Unicode.
        """
        try:
            return self._build(arguments)
        except UnicodeEncodeError:
            raise ArgumentRefused("arguments", case="surrogates") from None

    def _build(self, arguments: Mapping[str, Any]) -> UpstreamRequest:
        url = self._start
        for argument, encode, literal in self._path:
            if argument not in arguments:
                raise ArgumentRefused(argument, case="required")
            url += encode(arguments[argument]) + literal
        separator = "&" if self._has_query else "?"
        for argument, encode in self._query:
            if (value := arguments.get(argument)) is not None and (pairs := encode(value)):
                url += separator + pairs
                separator = "&"
        headers: tuple[tuple[str, str], ...] = ()
        if self._headers or self._cookies:
            headers = self._argument_headers(arguments)
        if self._body is None or (body := self._body.write(arguments)) is None:
            return UpstreamRequest(self._method, url, headers, None)
        return UpstreamRequest(self._method, url, headers + self._content, body)

    def _argument_headers(self, arguments: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        headers = [
            (name, encode(value))
            for argument, name, encode in self._headers
            if (value := arguments.get(argument)) is not None
        ]
        cookies = [
            encode(value)
            for argument, encode in self._cookies
            if (value := arguments.get(argument)) is not None
        ]
        if cookies:
            headers.append(("Cookie", "; ".join(cookies)))
        return tuple(headers)


class _BodyWriter:
    __slots__ = ("_argument", "_fields", "_form", "_required")

    def __init__(self, binding: BodyBinding) -> None:
        self._argument = binding.argument
        self._required = binding.required
        self._fields = tuple((field.argument, field.name) for field in binding.fields)
        self._form: dict[str, Encoder] | None = None
        if binding.encoding == "form":
            self._form = {field.name: query_encoder(field) for field in binding.fields}

    def write(self, arguments: Mapping[str, Any]) -> bytes | None:
        """The body, None when it is optional and none of its arguments is given."""
        if self._argument is None:
            value: Any = {
                name: arguments[argument]
                for argument, name in self._fields
                if argument in arguments
            }
            if not value and not self._required:
                return None
        elif self._argument in arguments:
            value = arguments[self._argument]
        elif self._required:
            raise ArgumentRefused(self._argument, case="required")
        else:
            return None
        return json_bytes(value) if self._form is None else self._write_form(value, self._form)

    def _write_form(self, value: Mapping[str, Any], encoders: Mapping[str, Encoder]) -> bytes:
        pairs = [
            (encoders.get(name) or _undescribed(name))(item)
            for name, item in value.items()
            if item is not None
        ]
        return "&".join(filter(None, pairs)).encode()


def checked_base(base_url: str) -> str:
    """The base URL without its last slash.

    Raises:
        BaseUrlInvalid: It is not an absolute http or https URL of a host, a port and a plain path.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise BaseUrlInvalid(base_url, case="no_url") from None
    if parts.scheme not in ("http", "https"):
        raise BaseUrlInvalid(base_url, case="scheme")
    if "@" in parts.netloc:
        raise BaseUrlInvalid(base_url, case="credentials")
    if "?" in base_url or "#" in base_url:
        raise BaseUrlInvalid(base_url, case="query")
    host = parts.netloc if port is None else parts.netloc.rpartition(":")[0]
    if not _HOST.fullmatch(host.removesuffix(":")):
        raise BaseUrlInvalid(base_url, case="host")
    if not _BASE_PATH.fullmatch(parts.path) or has_dot_segment(parts.path):
        raise BaseUrlInvalid(base_url, case="path")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def has_dot_segment(path: str) -> bool:
    """Whether a path climbs, or stands still, at one of its segments."""
    return any(segment.lower().replace("%2e", ".") in (".", "..") for segment in path.split("/"))


def _literal(text: str) -> str:
    """The fixed part of a path template, encoded where its author did not."""
    path, mark, query = text.partition("?")
    return quote(path, safe=_PATH_SAFE) + mark + quote(query, safe=_PATH_SAFE + "?")


def _undescribed(name: str) -> Encoder:
    return query_encoder(FieldBinding(argument=name, name=name))
