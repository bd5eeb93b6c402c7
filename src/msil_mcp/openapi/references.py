"""JSON pointers, and following `$ref` inside one document."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from msil_mcp.openapi.errors import OperationProblem, shown

_MISSING = object()


def at(pointer: str, *tokens: str | int) -> str:
    """The pointer one or more steps further down."""
    steps = (str(token).replace("~", "~0").replace("/", "~1") for token in tokens)
    return "/".join((pointer, *steps))


def follow(root: Mapping[str, Any], node: Any, *, pointer: str) -> tuple[Any, str]:
    """What `node` stands for, with its pointer, after any chain of references.

    Raises:
        OperationProblem: The reference leaves the document, points nowhere, or at itself.
    """
    seen: set[str] = set()
    while isinstance(node, Mapping) and isinstance(reference := node.get("$ref"), str):
        target = target_pointer(reference, pointer=pointer)
        if target in seen:
            raise OperationProblem(f"`{shown(reference)}` refers to itself", pointer=pointer)
        seen.add(target)
        node = look_up(root, target, reference=reference, pointer=pointer)
        pointer = target
    return node, pointer


def target_pointer(reference: str, *, pointer: str) -> str:
    """The JSON pointer a local reference names."""
    if reference == "#":
        return ""
    if not reference.startswith("#"):
        raise OperationProblem(
            f"refers to `{shown(reference)}` outside this document; bundle the files into one",
            pointer=pointer,
        )
    if not reference.startswith("#/"):
        raise OperationProblem(
            f"refers to `{shown(reference)}`; only JSON pointers (#/…) are followed",
            pointer=pointer,
        )
    return unquote(reference[1:])


def look_up(root: Mapping[str, Any], target: str, *, reference: str, pointer: str) -> Any:
    """The node at a JSON pointer."""
    node: Any = root
    for step in target.split("/")[1:]:
        token = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping):
            node = node.get(token, _MISSING)
        elif isinstance(node, list) and token.isascii() and token.isdigit():
            node = node[int(token)] if len(token) < 9 and int(token) < len(node) else _MISSING
        else:
            node = _MISSING
        if node is _MISSING:
            raise OperationProblem(
                f"refers to `{shown(reference)}`, which the document does not have",
                pointer=pointer,
            )
    return node
