"""JSON text to plain data, refusing what the standard library lets pass."""

import json
import math
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from msil_mcp.openapi.errors import SyntaxFault, shown

MAX_DEPTH = 200
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+')
_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


class _RefusedError(Exception):
    """Raised inside the decoder, which knows no places; a second, slow pass finds the place."""


def read_json(text: str) -> Any:
    """Plain data of `text`.

    Raises:
        SyntaxFault: bad syntax, a key twice in one object, NaN, numbers or text that JSON cannot
            carry on, or nesting beyond 200 levels.
    """
    try:
        tree = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
        _check_depth(tree)
        if _SURROGATE_ESCAPE.search(text):
            json.dumps(tree, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        problem = f"{error.msg[:1].lower()}{error.msg[1:]}; correct the JSON"
        raise SyntaxFault(problem, line=error.lineno, column=error.colno) from None
    except (_RefusedError, RecursionError, ValueError):
        raise _locate(text) from None
    return tree


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise _RefusedError
    return result


def _refuse(_: str) -> NoReturn:
    raise _RefusedError


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise _RefusedError
    return number


def _check_depth(tree: Any) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH + 1):
        level = [child for node in level for child in _children(node)]
        if not level:
            return
    raise _RefusedError


def _children(node: Any) -> Iterable[Any]:
    if type(node) is dict:
        return node.values()
    return node if type(node) is list else ()


def _locate(text: str) -> SyntaxFault:
    """The first place the decoder refused, which is syntactically sound up to there."""
    keys: list[set[str]] = []
    string: str | None = None
    start = 0
    for match in _TOKEN.finditer(text):
        part, offset = match.group(), match.start()
        if part in "{[":
            keys.append(set())
            if len(keys) > MAX_DEPTH:
                problem = f"nested deeper than {MAX_DEPTH} levels; flatten the document"
                return _fault(problem, text, offset)
        elif part in "}]" and keys:
            keys.pop()
        elif part == ":" and string is not None and keys:
            if string in keys[-1]:
                problem = f"the key `{shown(string)}` occurs twice in one object; remove one"
                return _fault(problem, text, start)
            keys[-1].add(string)
        elif part[0] == '"':
            string, start = json.loads(part, strict=False), offset
            if not _is_text(string):
                return _fault("half of a surrogate pair is not text; remove it", text, start)
        elif part not in ",:" and not _is_plain(part):
            problem = f"`{shown(part)}` is not a number JSON can hold; use a finite one or text"
            return _fault(problem, text, offset)
    return _fault("this JSON cannot be read; check it with a JSON validator", text, 0)


def _is_text(string: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in string)


def _is_plain(token: str) -> bool:
    if token in ("true", "false", "null"):
        return True
    try:
        return math.isfinite(float(token)) and len(token) < 1000
    except ValueError:
        return False


def _fault(problem: str, text: str, offset: int) -> SyntaxFault:
    return SyntaxFault(
        problem,
        line=text.count("\n", 0, offset) + 1,
        column=offset - text.rfind("\n", 0, offset),
    )
