"""Arguments mirrored in `Mcp-Param-*` headers (2026-07-28, `x-mcp-header`).

An intermediary may route on such a header, so header and argument must agree exactly.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from msil_mcp.mcp.faults import HeaderMismatch

PREFIX: Final = "mcp-param-"
KEYWORD: Final = "x-mcp-header"
TYPES: Final = frozenset({"string", "integer", "boolean"})

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ENCODED = re.compile(r"=\?base64\?(.*)\?=")
_WHOLE_NUMBER = re.compile(r"(-?[0-9]+)(?:\.0+)?")


@dataclass(frozen=True, slots=True)
class MirroredParam:
    """One annotated property: where its argument is, and the lower-case header that repeats it."""

    path: tuple[str, ...]
    header: str
    type: str


def mirrored_params(schema: Mapping[str, Any]) -> tuple[MirroredParam, ...]:
    """The annotations of an input schema; none at all when any of them is not allowed.

    Clients drop a tool whose annotations are wrong, so there is nothing to compare with.
    """
    found = tuple(_annotated(schema, ()))
    headers = [param.header for param in found]
    is_sound = all(
        param.type in TYPES and _TOKEN.fullmatch(param.header.removeprefix(PREFIX))
        for param in found
    )
    return found if is_sound and len(set(headers)) == len(headers) else ()


def _annotated(schema: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[MirroredParam]:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return
    for name, inner in properties.items():
        if not isinstance(inner, Mapping):
            continue
        token = inner.get(KEYWORD)
        if token is not None:
            kind = inner.get("type")
            yield MirroredParam(
                path=(*path, name),
                header=PREFIX + token.lower() if isinstance(token, str) else "",
                type=kind if isinstance(kind, str) else "",
            )
        yield from _annotated(inner, (*path, name))


def check_mirrored(
    params: Sequence[MirroredParam], arguments: Mapping[str, Any], headers: Mapping[str, str]
) -> None:
    """Raise HeaderMismatch unless each argument and its header are both absent or equal."""
    for param in params:
        where = ".".join(param.path)
        expected = _rendered(_value_at(arguments, param.path))
        header = headers.get(param.header)
        if header is None and expected is None:
            continue
        if header is None:
            raise HeaderMismatch(f"The argument '{where}' must be repeated in {param.header}.")
        if expected is None:
            raise HeaderMismatch(f"{param.header} is sent, but the argument '{where}' is not.")
        sent = decode_header(header)
        if sent is None:
            raise HeaderMismatch(f"{param.header} is not valid base64 of UTF-8.")
        if sent != expected and not (param.type == "integer" and _same_number(sent, expected)):
            raise HeaderMismatch(f"{param.header} does not equal the argument '{where}'.")


def decode_header(value: str) -> str | None:
    """The text a mirrored header stands for; None when its base64 is not canonical."""
    encoded = _ENCODED.fullmatch(value)
    if encoded is None:
        return value
    try:
        raw = base64.b64decode(encoded[1], validate=True)
        return raw.decode() if base64.b64encode(raw).decode() == encoded[1] else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def _value_at(arguments: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = arguments
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _rendered(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None


def _same_number(sent: str, expected: str) -> bool:
    left, right = _WHOLE_NUMBER.fullmatch(sent), _WHOLE_NUMBER.fullmatch(expected)
    return left is not None and right is not None and left[1] == right[1]
