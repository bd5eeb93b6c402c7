"""JSON-RPC on the wire: a strict reading of bodies and the encoding of answers.

msgspec refuses NaN, a byte order mark, bad UTF-8 and lone surrogates by itself. Duplicate keys
and depth are checked here, from byte counts where these can prove that all is well.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import msgspec

from msil_mcp.errors import MsilError
from msil_mcp.mcp.faults import InvalidMessage, ParseFault, ProtocolFault

MAX_DEPTH: Final = 64

RequestId = int | str

_decoder: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Request:
    """A message that is owed an answer; `params` is empty when absent."""

    id: RequestId
    method: str
    params: dict[str, Any]


@dataclass(slots=True)
class Notification:
    """A message that is owed none."""

    method: str
    params: dict[str, Any]


@dataclass(slots=True)
class Reply:
    """A client's answer to a request of ours: `result` or `error`."""

    id: RequestId
    result: dict[str, Any] | None
    error: dict[str, Any] | None


@dataclass(slots=True)
class Malformed:
    """Not a message; `id` is echoed where it could be read."""

    id: RequestId | None
    fault: ProtocolFault


Message = Request | Notification | Reply | Malformed


def parse_json(body: bytes) -> Any:
    """The decoded body; ParseFault for anything strict JSON does not allow."""
    try:
        tree = _decoder.decode(body)
    except RecursionError as error:
        raise ParseFault(f"it is nested more than {MAX_DEPTH} deep") from error
    except UnicodeDecodeError as error:
        raise ParseFault("it is not UTF-8") from error
    except msgspec.MsgspecError as error:
        raise ParseFault(_reason(error)) from error
    if type(tree) is dict or type(tree) is list:
        if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(tree) > MAX_DEPTH:
            raise ParseFault(f"it is nested more than {MAX_DEPTH} deep")
        _refuse_duplicate_keys(body, tree)
    return tree


def _reason(error: msgspec.MsgspecError) -> str:
    text = str(error).removeprefix("JSON is malformed: ").partition(" - at ")[0]
    return text[:1].lower() + text[1:]


def _depth(tree: Any) -> int:
    depth, level = 0, [tree]
    while level:
        depth += 1
        level = [
            child
            for node in level
            for child in (node.values() if type(node) is dict else node)
            if type(child) is dict or type(child) is list
        ]
    return depth


def _refuse_duplicate_keys(body: bytes, tree: Any) -> None:
    # Each member of an object in the source has a colon after a quote or white space. Where no
    # more such colons exist than members were decoded, no member can have been dropped.
    colons = body.count(b'":')
    for before in (b" :", b"\t:", b"\n:", b"\r:"):
        colons += body.count(before)
    members, pending = 0, [tree]
    for node in pending:
        if type(node) is dict:
            members += len(node)
            node = node.values()
        for child in node:
            if type(child) is dict or type(child) is list:
                pending.append(child)  # noqa: PERF401 - a comprehension costs a frame per node
    if colons > members:
        json.loads(body, object_pairs_hook=_object_without_duplicates)


def _object_without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ParseFault("an object has the same key twice")
    return members


def is_identifier(value: object) -> TypeGuard[RequestId]:
    """Whether this can name a request or its progress: a string, or an integer of 64 bits."""
    return type(value) is str or (type(value) is int and -(2**63) <= value < 2**63)


def read_message(tree: Any) -> Message:
    """One JSON-RPC message of a decoded body or batch entry."""
    if type(tree) is not dict:
        return Malformed(None, InvalidMessage("it must be a JSON object"))
    request_id = tree.get("id")
    id_is_valid = is_identifier(request_id)
    known_id = request_id if id_is_valid else None
    if tree.get("jsonrpc") != "2.0":
        return Malformed(known_id, InvalidMessage('the member "jsonrpc" must be "2.0"'))
    if "id" in tree and not id_is_valid:
        return Malformed(None, InvalidMessage('the member "id" must be a string or an integer'))
    method = tree.get("method")
    if method is None:
        return _read_reply(tree, known_id)
    if type(method) is not str:
        return Malformed(known_id, InvalidMessage('the member "method" must be a string'))
    params = tree.get("params")
    if params is None:
        params = {}
    elif type(params) is not dict:
        return Malformed(known_id, InvalidMessage('the member "params" must be an object'))
    if known_id is None:
        return Notification(method, params)
    return Request(known_id, method, params)


def _read_reply(tree: dict[str, Any], known_id: RequestId | None) -> Message:
    result, error = tree.get("result"), tree.get("error")
    if known_id is None or (result is None) == (error is None):
        return Malformed(known_id, InvalidMessage('it has no "method" and is no answer either'))
    if result is not None and type(result) is not dict:
        return Malformed(known_id, InvalidMessage('the member "result" must be an object'))
    if error is not None and type(error) is not dict:
        return Malformed(known_id, InvalidMessage('the member "error" must be an object'))
    return Reply(known_id, result, error)


def encode_result(request_id: RequestId, *parts: bytes) -> tuple[bytes, ...]:
    """The parts of a response around the parts of one encoded result object."""
    identity = str(request_id).encode() if type(request_id) is int else _encode(request_id)
    return (b'{"jsonrpc":"2.0","id":' + identity + b',"result":', *parts, b"}")


def encode_error(
    request_id: RequestId | None, error: MsilError, *, code: int | None = None
) -> bytes:
    """The error response for a domain error or a protocol fault; `code` replaces its own."""
    shown: dict[str, Any] = {"code": code or error.code, "message": str(error) or error.title}
    data = error.data if isinstance(error, ProtocolFault) else dict(error.facts)
    if data:
        shown["data"] = data
    return _encode({"jsonrpc": "2.0", "id": request_id, "error": shown})


def encode_notification(method: str, params: Mapping[str, Any]) -> bytes:
    """A notification to the client."""
    return _encode({"jsonrpc": "2.0", "method": method, "params": params})


def encode_request(request_id: str, method: str, params: Mapping[str, Any]) -> bytes:
    """A request to the client."""
    return _encode({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params})
