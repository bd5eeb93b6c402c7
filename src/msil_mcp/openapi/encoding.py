"""A value as the text of a path segment, a query, a header or a form field.

Every function here returns an encoder: what can be decided from the binding is decided once, so
that encoding a value is a few string operations. Percent-encoding leaves only unreserved
characters (RFC 3986 section 2.3) as they are.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from unicodedata import normalize
from urllib.parse import quote, unquote

import msgspec

from msil_mcp.openapi.errors import ArgumentRefused, PathEscape
from msil_mcp.openapi.template import FieldBinding, ParameterBinding

Encoder = Callable[[Any], str]

_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")
# What a query may hold without changing where a value or the query itself ends.
_RESERVED_KEPT = ":/?@!$'()*,;"
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_SEPARATORS = re.compile(r"[/\\]")
_MOST_DECODINGS = 5
_DELIMITERS = {"spaceDelimited": "%20", "pipeDelimited": "%7C", "form": ","}
_json = msgspec.json.Encoder(order="deterministic")


def text(value: Any) -> str:
    """A primitive as OpenAPI writes it on the wire; anything else as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))  # 10.0 is an integer to JSON Schema, and 10 to every upstream
    if isinstance(value, int | float):
        return str(value)
    return json_text(value)


def json_bytes(value: Any) -> bytes:
    """Compact JSON with sorted keys."""
    return _json.encode(value)


def json_text(value: Any) -> str:
    """Compact JSON as text."""
    return json_bytes(value).decode()


def percent_encoded(value: str) -> str:
    """Everything but unreserved characters as UTF-8 percent-encoded octets."""
    if _UNRESERVED.fullmatch(value):
        return value
    return quote(value, safe="")


def _reserved_kept(value: str) -> str:
    return quote(value, safe=_RESERVED_KEPT)


def path_encoder(binding: ParameterBinding) -> Encoder:
    """Encodes one argument of the path; raises PathEscape for what would leave its segment."""
    argument = binding.argument
    name = percent_encoded(binding.name)
    joined = _joiner(binding, name)

    is_simple = binding.style == "simple"

    def encode(value: Any) -> str:
        if is_simple and isinstance(value, str) and _UNRESERVED.fullmatch(value):
            if value in ("", ".", ".."):
                raise _escape(argument)
            return value
        segment = joined(value)
        if segment in ("", ".", "..") or value in (None, "", [], {}):
            raise _escape(argument)
        if "." in segment or "%" in segment:
            _check_segment(argument, segment)
        return segment

    return encode


def _joiner(binding: ParameterBinding, name: str) -> Encoder:
    """RFC 6570's simple, label and matrix expansion of a value."""
    explode, style = binding.explode, binding.style
    prefix, between = {"label": (".", "."), "matrix": (";", ";")}.get(style, ("", ","))
    if not explode:
        between = ","
    named = f"{name}=" if style == "matrix" else ""

    def join(value: Any) -> str:
        if style == "json":
            return percent_encoded(json_text(value))
        if isinstance(value, Mapping):
            pair = "=" if explode else ","
            members = between.join(
                f"{percent_encoded(key)}{pair}{percent_encoded(text(item))}"
                for key, item in value.items()
            )
            return prefix + (members if explode else named + members)
        if isinstance(value, list):
            each = named if explode else ""
            items = between.join(each + percent_encoded(text(item)) for item in value)
            return prefix + (items if explode else named + items)
        return prefix + named + percent_encoded(text(value))

    return join


def _check_segment(argument: str, segment: str) -> None:
    """Refuse what is a dot segment to anyone who decodes the segment, even more than once."""
    decoded = unquote(segment)
    if decoded.isascii() and "." not in decoded and "%" not in decoded:
        return
    for _ in range(_MOST_DECODINGS):
        # Servers split at slashes and semicolons, and some fold full-width characters.
        for part in _SEPARATORS.split(normalize("NFKC", decoded)):
            if part.partition(";")[0].strip() in (".", ".."):
                raise _escape(argument)
        further = unquote(decoded)
        if further == decoded:
            return
        decoded = further
    raise PathEscape(argument, case="encoded")


def _escape(argument: str) -> PathEscape:
    return PathEscape(argument, case="detail")


def query_encoder(binding: ParameterBinding | FieldBinding) -> Encoder:
    """Encodes one argument as `name=value` pairs joined by `&`, or "" when nothing is to send."""
    name = percent_encoded(binding.name)
    encode = _reserved_kept if binding.allow_reserved else percent_encoded
    if binding.style == "deepObject":
        return lambda value: "&".join(_bracketed(name, value, encode))
    if binding.style == "json":
        return lambda value: f"{name}={percent_encoded(json_text(value))}"
    if binding.style is None:
        return lambda value: _plain_field(name, value)
    delimiter = _DELIMITERS.get(binding.style, ",")
    return _exploded(name, encode) if binding.explode else _delimited(name, delimiter, encode)


def _exploded(name: str, encode: Encoder) -> Encoder:
    prefix = f"{name}="

    def pairs(value: Any) -> str:
        if isinstance(value, str):
            return prefix + encode(value)
        if isinstance(value, list):
            return "&".join(prefix + encode(text(item)) for item in value)
        if isinstance(value, Mapping):
            return "&".join(
                f"{percent_encoded(key)}={encode(text(item))}" for key, item in value.items()
            )
        return prefix + encode(text(value))

    return pairs


def _delimited(name: str, delimiter: str, encode: Encoder) -> Encoder:
    prefix = f"{name}="

    def pair(value: Any) -> str:
        if not value and isinstance(value, list | Mapping):
            return ""
        if isinstance(value, list):
            return prefix + delimiter.join(encode(text(item)) for item in value)
        if isinstance(value, Mapping):
            return prefix + delimiter.join(
                f"{encode(key)}{delimiter}{encode(text(item))}" for key, item in value.items()
            )
        return prefix + encode(text(value))

    return pair


def _plain_field(name: str, value: Any) -> str:
    """A form field the document does not describe: repeated for a list, JSON for an object."""
    items = value if isinstance(value, list) else [value]
    return "&".join(f"{name}={percent_encoded(text(item))}" for item in items)


def _bracketed(name: str, value: Any, encode: Encoder) -> list[str]:
    """`name[key]=…` to any depth; OpenAPI defines one level, and forms in the wild have more."""
    if isinstance(value, Mapping):
        return [
            pair
            for key, item in value.items()
            for pair in _bracketed(f"{name}%5B{percent_encoded(key)}%5D", item, encode)
        ]
    if isinstance(value, list):
        is_flat = not any(isinstance(item, Mapping | list) for item in value)
        return [
            pair
            for index, item in enumerate(value)
            for pair in _bracketed(f"{name}%5B{'' if is_flat else index}%5D", item, encode)
        ]
    return [] if value is None else [f"{name}={encode(text(value))}"]


def header_encoder(binding: ParameterBinding) -> Encoder:
    """Encodes one argument as a header value; refuses what would end the header."""
    argument, explode, is_json = binding.argument, binding.explode, binding.style == "json"

    def encode(value: Any) -> str:
        if is_json:
            result = json_text(value)
        elif isinstance(value, list):
            result = ",".join(text(item) for item in value)
        elif isinstance(value, Mapping):
            pair = "=" if explode else ","
            result = ",".join(f"{key}{pair}{text(item)}" for key, item in value.items())
        else:
            result = text(value)
        if not _HEADER_VALUE.fullmatch(result):
            raise ArgumentRefused(argument, case="header")
        return result

    return encode


def cookie_encoder(binding: ParameterBinding) -> Encoder:
    """Encodes one argument as `name=value` for the Cookie header."""
    name = binding.name
    if binding.style == "json":
        return lambda value: f"{name}={percent_encoded(json_text(value))}"
    pair = _delimited("", ",", percent_encoded)
    return lambda value: name + pair(value)
