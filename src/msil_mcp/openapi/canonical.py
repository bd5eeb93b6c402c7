"""The one byte form of a JSON value, for hashes that approvals and versions are bound to.

RFC 8785, with one deliberate difference: an integer beyond 2**53 keeps all its digits. RFC 8785
would round it to the nearest double, and then two different account numbers could share the hash
an approval is bound to.
"""

import hashlib
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

import rfc8785

from msil_mcp.openapi.errors import NotCanonical


def canonical(value: Any) -> bytes:
    """The canonical JSON of plain data.

    Raises:
        NotCanonical: For NaN, Infinity, lone surrogates, keys that are not text, and foreign types.
    """
    try:
        return _text(value).encode()
    except UnicodeEncodeError:
        raise NotCanonical(case="surrogates") from None
    except RecursionError:
        raise NotCanonical(case="depth") from None
    except ValueError:  # Python writes no integer of more than 4,300 digits
        raise NotCanonical(case="integer") from None


def arguments_hash(arguments: Mapping[str, Any]) -> str:
    """SHA-256 in hex of the canonical arguments: equal arguments, equal hash, in any order."""
    return hashlib.sha256(canonical(arguments)).hexdigest()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return encode_basestring(value)
    if value is None or isinstance(value, bool):
        return "null" if value is None else "true" if value else "false"
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        members = ",".join(
            f"{encode_basestring(key)}:{_text(value[key])}" for key in _ordered(value)
        )
        return f"{{{members}}}"
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray | memoryview):
        return f"[{','.join(map(_text, value))}]"
    raise NotCanonical(case="type", type=type(value).__name__)


def _number(value: float) -> str:
    try:
        return rfc8785.dumps(value).decode()
    except rfc8785.FloatDomainError:
        raise NotCanonical(case="number") from None


def _ordered(value: Mapping[Any, Any]) -> list[str]:
    if not all(isinstance(key, str) for key in value):
        raise NotCanonical(case="keys")
    keys: list[str] = sorted(value)
    if not all(map(str.isascii, keys)):  # RFC 8785 sorts by UTF-16 code units
        keys.sort(key=lambda key: key.encode("utf-16-be", "surrogatepass"))
    return keys
