"""Where personal data is, as the document marks it with `x-msil-pii`."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from msil_mcp.openapi.document import Document
from msil_mcp.openapi.errors import OperationProblem
from msil_mcp.openapi.references import at, follow

MARK = "x-msil-pii"
_ANY = "*"
_MOST_SCHEMAS = 20_000
_SAME_PLACE = ("allOf", "anyOf", "oneOf")
_EACH_ITEM = ("items", "additionalProperties")


class PiiField(msgspec.Struct, frozen=True, order=True):
    """One place that holds personal data.

    `path` is a JSON pointer into the arguments or the result in which `*` stands for any item, such
    as `/dealers/*/phone`; `kind` is what the document calls it, such as `phone`.
    """

    where: Literal["input", "output"]
    path: str
    kind: str


class PiiFinder:
    """Finds the marks in the schemas of one document; costs nothing when there are none."""

    def __init__(self, document: Document) -> None:
        self._root = document.root
        self._is_marked = MARK.encode() in document.raw

    def find(self, schema: Any, *, pointer: str) -> list[tuple[tuple[str, ...], str]]:
        """Path and kind of every mark below a schema; a recursive schema is searched once around.

        Raises:
            OperationProblem: The schema has more parts than can be searched.
        """
        if not self._is_marked:
            return []
        found: dict[tuple[tuple[str, ...], str], None] = {}
        searched: set[tuple[str, tuple[str, ...]]] = set()
        pending: list[tuple[Any, str, tuple[str, ...], frozenset[str]]] = [
            (schema, pointer, (), frozenset())
        ]
        for _ in range(_MOST_SCHEMAS):
            if not pending:
                return list(found)
            node, place, path, entered = pending.pop()
            if not isinstance(node, dict) or (place, path) in searched:
                continue
            searched.add((place, path))
            if kind := mark_kind(node):
                found[path, kind] = None
            if "$ref" in node:
                target, target_place = follow(self._root, node, pointer=place)
                if target_place not in entered:
                    pending.append((target, target_place, path, entered | {target_place}))
            pending += [
                (child, child_place, path + step, entered)
                for child, child_place, step in _children(node, place)
            ]
        raise OperationProblem(
            "has too many nested schemas to search for personal data", pointer=pointer
        )


def mark_kind(node: Mapping[str, Any]) -> str:
    """The kind of personal data a schema or parameter is marked as; empty when it is not."""
    mark = node.get(MARK)
    if mark is True:
        return "personal"
    return mark if isinstance(mark, str) else ""


def _children(node: Mapping[str, Any], place: str) -> Iterator[tuple[Any, str, tuple[str, ...]]]:
    properties = node.get("properties")
    for name, member in (properties if isinstance(properties, dict) else {}).items():
        yield member, at(place, "properties", name), (name,)
    for keyword in _EACH_ITEM:
        if keyword in node:
            yield node[keyword], at(place, keyword), (_ANY,)
    prefix = node.get("prefixItems")
    for index, item in enumerate(prefix if isinstance(prefix, list) else []):
        yield item, at(place, "prefixItems", index), (_ANY,)
    for keyword in _SAME_PLACE:
        branches = node.get(keyword)
        for index, branch in enumerate(branches if isinstance(branches, list) else []):
            yield branch, at(place, keyword, index), ()
