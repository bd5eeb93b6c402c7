"""Members of objects that travel one way only: read-only ones out, write-only ones in."""

from collections.abc import Iterator, Mapping
from typing import Any

from msil_mcp.openapi.references import at, follow

NONE: frozenset[str] = frozenset()


class OneWay:
    """Finds the members that one direction does not carry, marked by `readOnly` or `writeOnly`."""

    def __init__(self, root: Mapping[str, Any], *, flag: str, is_used: bool) -> None:
        self._root = root
        self._flag = flag
        self._is_used = is_used

    def hidden(self, schema: Mapping[str, Any], pointer: str) -> frozenset[str]:
        """Names an object hides, by itself or by any branch of its allOf."""
        if not self._is_used:
            return NONE
        return frozenset(
            name
            for part, place in self._parts(schema, pointer)
            for name, member in _members(part)
            if self._is_hidden(member, place)
        )

    def hidden_from(self, schema: Any, pointer: str, hidden: frozenset[str]) -> frozenset[str]:
        """Those of the hidden names that a schema mentions and does not hide by itself."""
        if not isinstance(schema, dict):
            return NONE
        mentioned: set[str] = set()
        for part, _ in self._parts(schema, pointer):
            mentioned.update(name for name, _ in _members(part))
            required = part.get("required")
            mentioned.update(map(str, required if isinstance(required, list) else ()))
        return (hidden & mentioned) - self.hidden(schema, pointer)

    def _parts(
        self, schema: Mapping[str, Any], pointer: str
    ) -> Iterator[tuple[Mapping[str, Any], str]]:
        """The schema and, over any references, the branches of its allOf; each once."""
        pending = [(schema, pointer)]
        seen: set[str] = set()
        while pending:
            node, place = pending.pop()
            if place in seen:
                continue
            seen.add(place)
            yield node, place
            branches = node.get("allOf")
            for index, branch in enumerate(branches if isinstance(branches, list) else ()):
                part, part_place = follow(self._root, branch, pointer=at(place, "allOf", index))
                if isinstance(part, dict):
                    pending.append((part, part_place))

    def _is_hidden(self, member: Any, pointer: str) -> bool:
        if not isinstance(member, dict):
            return False
        if member.get(self._flag) is True:
            return True
        if "$ref" not in member:
            return False
        resolved, _ = follow(self._root, member, pointer=pointer)
        return isinstance(resolved, dict) and resolved.get(self._flag) is True


def _members(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    properties = schema.get("properties")
    yield from properties.items() if isinstance(properties, dict) else ()
