"""What changed between two versions of a tool, place by place, and what it means. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final, Literal

import msgspec

from msil_mcp.openapi.definitions import ToolDefinition

Kind = Literal["added", "removed", "changed"]
Impact = Literal["breaking", "compatible", "wording", "behaviour"]
_WORDS: Final = frozenset({"title", "description", "examples", "example", "deprecated"})
_MOST: Final = 500
_LEFT_OUT: Final = frozenset({"tags", "operation_id", "name"})
_BINDINGS: Final = (("request", "parameters"), ("request", "body", "fields"))
_NARROWING: Final = frozenset(
    {"enum", "pattern", "minimum", "maximum", "minLength", "maxLength", "format", "const"}
)


class Difference(msgspec.Struct, frozen=True):
    """One place; `pointer` is a JSON pointer into the definition.

    `breaking` may break callers who know the earlier version, `compatible` will not, `wording` is
    text alone, and `behaviour` is where a call goes or what it is taken for.
    """

    pointer: str
    kind: Kind
    impact: Impact
    before: Any = None
    after: Any = None


def differences(
    before: ToolDefinition, after: ToolDefinition, *, origins: tuple[str, str] = ("", "")
) -> list[Difference]:
    """Every place in which two definitions differ; `origins` are the base URLs calls go to."""
    old, new = (_plain(one, origin) for one, origin in zip((before, after), origins, strict=True))
    return list(islice(_between(old, new, ()), _MOST))


def _plain(definition: ToolDefinition, base_url: str) -> dict[str, Any]:
    """As JSON, with the request's arguments by name, so that they compare one by one."""
    plain = {
        key: value for key, value in msgspec.to_builtins(definition).items() if key not in _LEFT_OUT
    }
    request = plain["request"]
    request["parameters"] = _by_argument(request["parameters"])
    if request["body"] is not None:
        request["body"]["fields"] = _by_argument(request["body"]["fields"])
    return plain | {"base_url": base_url}


def _by_argument(bindings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {binding["argument"]: binding for binding in bindings}


def _between(before: Any, after: Any, path: tuple[str, ...]) -> Iterator[Difference]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in dict.fromkeys([*before, *after]):
            where = (*path, str(key))
            if key == "required" and path[-1:] != ("properties",):
                yield from _between(before.get(key, []), after.get(key, []), where)
            elif path in _BINDINGS and (key not in after or key not in before):
                continue  # an argument that came or went is told by the input schema
            elif key not in after:
                yield _difference("removed", where, before[key], None)
            elif key not in before:
                yield _difference("added", where, None, after[key])
            else:
                yield from _between(before[key], after[key], where)
        return
    if path and path[-1] == "required" and _lists(before, after):
        for name in sorted(set(after) - set(before)):
            yield Difference(_pointer((*path, name)), "added", "breaking", None, name)
        for name in sorted(set(before) - set(after)):
            yield Difference(_pointer((*path, name)), "removed", "compatible", name, None)
        return
    kind: Kind = "changed"
    if before is None or after is None:
        kind = "added" if before is None else "removed"
    yield _difference(kind, path, before, after)


def _lists(before: Any, after: Any) -> bool:
    return all(
        isinstance(one, Sequence) and all(isinstance(name, str) for name in one)
        for one in (before, after)
    )


def _difference(kind: Kind, path: tuple[str, ...], before: Any, after: Any) -> Difference:
    return Difference(_pointer(path), kind, _impact(kind, path, before, after), before, after)


def _impact(kind: Kind, path: tuple[str, ...], before: Any, after: Any) -> Impact:
    is_property = len(path) > 1 and path[-2] == "properties"
    if path[-1] in _WORDS and not is_property:
        return "wording"
    if path[0] == "input_schema":
        return _input_impact(kind, path, before, after, is_property=is_property)
    if path[0] == "output_schema":
        return "compatible" if kind == "added" and is_property else "breaking"
    return "behaviour"


def _input_impact(
    kind: Kind, path: tuple[str, ...], before: Any, after: Any, *, is_property: bool
) -> Impact:
    if is_property:
        # One that is required too is told by its entry in `required`.
        return "compatible" if kind == "added" else "breaking"
    if path[-1] == "default":
        return "behaviour"
    if path[-1] == "enum" and kind == "changed":
        return "compatible" if _grew(before, after) else "breaking"
    if path[-1] in _NARROWING and kind == "removed":
        return "compatible"
    return "breaking"


def _grew(before: Sequence[Any], after: Sequence[Any]) -> bool:
    return all(value in after for value in before)


def _pointer(path: tuple[str, ...]) -> str:
    return "".join("/" + part.replace("~", "~0").replace("/", "~1") for part in path)
