"""Masks personal data in values: what a schema declares wholly, everything else by its looks.

Pure: no I/O and no tables, so that logs and output redaction use the same rules.
"""

import itertools
import operator
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from msil_mcp.audit.detection import ALL, HIDDEN, HINTS, Kind, mask_text
from msil_mcp.observability.masking import names_a_secret

__all__ = ["ALL", "HIDDEN", "Kind", "Masker", "mask_as", "mask_text", "mask_value"]

MAX_ARGUMENTS: Final = 8 << 10
MAX_RESULT: Final = 2 << 10
"""Longest masked text kept in a record, in bytes."""
_PARSED: Final = 64 << 10
"""Longest structured result that is looked into; of longer ones only the size is kept."""
_DEEPEST: Final = 32
_SHALLOW: Final = 5
_MEMBERS: Final = 40
_TEXT: Final = 256
_SMALLEST_NUMBER: Final = 10**9

_CODES: Final = frozenset({"otp", "pin", "cvv"})

_Tree = dict[str, Any]
_KEPT: Final = object()
_NOTHING: Final[_Tree] = {}
_encode = msgspec.json.Encoder(order=None).encode


class Masker:
    """The masking of one tool's arguments or results, compiled from what is declared of them.

    `fields` are (path, kind), the path a JSON pointer in which `*` stands for any item. The kinds
    are those of detection, `phone`, and `name`; any other hides the whole value. `keep` are
    pointers, or names at the top, left as they are: subject keys and declared policy inputs.
    """

    def __init__(
        self,
        fields: Iterable[tuple[str, str]] = (),
        keep: Iterable[str] = (),
        *,
        kinds: frozenset[str] = ALL,
    ) -> None:
        self._kinds = kinds
        self._tree: _Tree = {}
        for path, kind in fields:
            self._declare(path, kind)
        for path in keep:
            self._declare(path, _KEPT)

    def mask(self, value: Any) -> Any:
        """The value with personal data replaced; the very same object when there is none."""
        return self._mask(value, self._tree, 0)

    def arguments(self, arguments: Mapping[str, Any]) -> str:
        """Masked arguments as JSON text for a record."""
        value: Any = arguments
        if len(_encode(value)) > MAX_ARGUMENTS:
            value = self._shortened(value, 0)
        return _cut(_encode(self._mask(value, self._tree, 0)), MAX_ARGUMENTS)

    def result(self, text: str, structured: bytes | msgspec.Raw | None = None) -> str:
        """A masked, short summary of a result for a record: JSON when it was structured."""
        if structured is None:
            # Cut after masking, so that no value is cut in two before it is seen.
            return _cut(mask_text(text[: MAX_RESULT * 2], self._kinds).encode(), MAX_RESULT)
        if len(structured) > _PARSED:
            return f'{{"omitted":"a result of {len(structured)} bytes"}}'
        value = self._shortened(msgspec.json.decode(structured), 0)
        return _cut(_encode(self._mask(value, self._tree, 0)), MAX_RESULT)

    def _declare(self, path: str, mark: object) -> None:
        parts = path.removeprefix("/").split("/")
        *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in parts)
        tree = self._tree
        for part in parents:
            below = tree.setdefault(part, {})
            if not isinstance(below, dict):
                return  # an outer declaration covers this one
            tree = below
        tree[last] = mark

    def _mask(self, value: Any, tree: _Tree, depth: int) -> Any:
        if isinstance(value, str):
            return mask_text(value, self._kinds)
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return self._mask_int(value)
        if depth > _DEEPEST:
            return HIDDEN
        if isinstance(value, Mapping):
            return self._mask_object(value, tree, depth)
        if isinstance(value, list | tuple | set | frozenset):
            return self._mask_items(value, tree, depth)
        if isinstance(value, datetime | date | Decimal | UUID):
            return value
        return mask_text(str(value), self._kinds)

    def _mask_items(self, value: Collection[Any], tree: _Tree, depth: int) -> Any:
        below = tree.get("*", tree) if tree else tree
        if below is _KEPT:
            return value
        if isinstance(below, str):
            return mask_as(list(value), below)
        masked = [self._mask(item, below, depth + 1) for item in value]
        unchanged = all(map(operator.is_, masked, value))
        return value if unchanged and isinstance(value, list) else masked

    def _mask_int(self, value: int) -> int | str:
        if -_SMALLEST_NUMBER < value < _SMALLEST_NUMBER:
            return value
        text = str(value)
        masked = mask_text(text, self._kinds)
        return value if masked is text else masked

    def _mask_object(self, value: Mapping[Any, Any], tree: _Tree, depth: int) -> Any:
        changed: dict[Any, Any] | None = None
        plain = True
        kinds, secrets = self._kinds, "secret" in self._kinds
        for name, item in value.items():
            below = (tree.get(name) or tree.get("*", _NOTHING)) if tree else _NOTHING
            if below is _KEPT:
                continue
            if isinstance(below, str):
                masked = mask_as(item, below)
            elif type(item) is str:
                hidden = secrets and _is_secret(name)
                masked = HIDDEN if hidden else mask_text(item, kinds)
            else:
                masked = self._mask(item, below, depth + 1)
            if masked is not item:
                if changed is None:
                    changed = dict(value)
                changed[name] = masked
            plain = plain and type(name) is str and name.isidentifier()
        masked_value = value if changed is None else changed
        if plain:
            return masked_value
        return {self._mask(name, _NOTHING, 0): item for name, item in masked_value.items()}

    def _shortened(self, value: Any, depth: int) -> Any:
        """Enough of a value to recognise it by: first items, short texts, not deep."""
        if isinstance(value, str):
            if len(value) <= _TEXT:
                return value
            # Masked with what follows the cut, so that no half of a value is left at the end.
            return mask_text(value[: _TEXT + 64], self._kinds)[:_TEXT] + "…"
        if isinstance(value, Mapping):
            if depth >= _SHALLOW:
                return "…"
            return {
                name: self._shortened(item, depth + 1)
                for name, item in itertools.islice(value.items(), _MEMBERS)
            }
        if isinstance(value, list | tuple):
            if depth >= _SHALLOW:
                return "…"
            kept = [self._shortened(item, depth + 1) for item in value[:1]]
            return [*kept, f"… {len(value) - 1} more"] if len(value) > 1 else kept
        return value


def mask_value(value: Any, fields: Iterable[tuple[str, str]] = (), keep: Iterable[str] = ()) -> Any:
    """Masks once; compile a Masker for anything that repeats."""
    return Masker(fields, keep).mask(value)


def mask_as(value: Any, kind: str) -> Any:
    """A value declared to be of a kind, hidden whatever it looks like; absent stays absent."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Mapping):
        return {name: mask_as(item, kind) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [mask_as(item, kind) for item in value]
    text = str(value)
    if kind == "name":
        return " ".join(f"{word[0]}***" for word in text.split())
    if kind == "email" and "@" not in text:
        return HIDDEN
    hint = HINTS.get(kind)
    return HIDDEN if hint is None or len(text) < 8 else hint(text)


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and (name in _CODES or names_a_secret(name))


def _cut(encoded: bytes, limit: int) -> str:
    return encoded[:limit].decode(errors="ignore")
