"""YAML text to plain data, straight from libyaml's events.

YAML as OpenAPI means it: the JSON-compatible types of YAML 1.2. `on`, `no` and dates stay text,
keys are text (`200:` is "200"), every key occurs once, and aliases cannot multiply a document.
Building from events instead of PyYAML's node graph takes a third of its time.
"""

import math
import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from msil_mcp.openapi.errors import SyntaxFault, shown

MAX_DEPTH = 200
MAX_REPEATED_NODES = 500_000
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,999})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER_START = frozenset("-+.0123456789")
_TAG = "tag:yaml.org,2002:"
_RESOLVED_TAGS = frozenset(_TAG + name for name in ("int", "float", "bool", "null"))
_COLLECTION_TAGS = frozenset((_TAG + "map", _TAG + "seq"))


@dataclass(slots=True)
class _Open:
    """A mapping or sequence whose end has not been seen."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    nodes_before: int
    key: str | None = None
    merged: list[dict[str, Any]] = field(default_factory=list)


def read_yaml(text: str) -> Any:
    """Plain data of the one document in `text`; raises SyntaxFault with the place."""
    try:
        return _Builder().build(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise SyntaxFault(f"{error.problem}; correct the YAML", line=line, column=column) from None
    except yaml.reader.ReaderError as error:
        read = text.encode()[: error.position]
        raise SyntaxFault(
            f"{error.reason}; remove the character U+{int(error.character):04X}",
            line=read.count(b"\n") + 1,
            column=len(read) - read.rfind(b"\n"),
        ) from None


class _Builder:
    def __init__(self) -> None:
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._repeated = 0
        self._root: Any = None
        self._documents = 0

    def build(self, text: str) -> Any:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            kind = type(event)
            if kind is yaml.ScalarEvent:
                self._scalar(event)
            elif kind is yaml.MappingStartEvent:
                self._open({}, event)
            elif kind is yaml.SequenceStartEvent:
                self._open([], event)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                self._close(event)
            elif kind is yaml.AliasEvent:
                self._alias(event)
            elif kind is yaml.DocumentStartEvent:
                self._documents += 1
                if self._documents > 1:
                    raise _fault("a second YAML document starts; keep one per file", event)
        return self._root

    def _scalar(self, event: Any) -> None:
        self._nodes += 1
        stack = self._stack
        if stack and stack[-1].key is None and type(stack[-1].value) is dict:
            self._key(stack[-1], event)
            return
        value = event.value
        if event.tag is not None or event.implicit[0]:
            value = _resolve(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, 1)
        self._add(value, event)

    def _key(self, target: _Open, event: Any) -> None:
        key: str = event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = (key, 1)
        if key in target.value:
            raise _fault(f"the key `{shown(key)}` occurs twice in one object; remove one", event)
        target.key = key
        if key == "<<" and event.implicit[0]:
            return
        # Reserves the place, so that order and duplicates are right while the value is built.
        target.value[key] = None  # type: ignore[call-overload]  # a dict here, checked by the caller

    def _open(self, value: dict[str, Any] | list[Any], event: Any) -> None:
        if event.tag is not None and event.tag not in _COLLECTION_TAGS:
            raise _fault(f"the tag `{shown(event.tag)}` is not plain data; remove it", event)
        stack = self._stack
        if stack and stack[-1].key is None and type(stack[-1].value) is dict:
            raise _fault("a key must be text, not an object or a list", event)
        if len(stack) >= MAX_DEPTH:
            raise _fault(f"nested deeper than {MAX_DEPTH} levels; flatten the document", event)
        self._nodes += 1
        stack.append(_Open(value=value, anchor=event.anchor, nodes_before=self._nodes))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        value = done.value
        for merged in done.merged:
            for key, item in merged.items():
                value.setdefault(key, item)  # type: ignore[union-attr]  # only mappings merge
        if done.anchor is not None:
            self._anchors[done.anchor] = (value, self._nodes - done.nodes_before + 1)
        self._add(value, event)

    def _alias(self, event: Any) -> None:
        if any(parent.anchor == event.anchor for parent in self._stack):
            raise _fault(f"the alias `*{shown(event.anchor)}` contains itself; use $ref", event)
        if event.anchor not in self._anchors:
            raise _fault(f"the alias `*{shown(event.anchor)}` is defined nowhere above", event)
        value, size = self._anchors[event.anchor]
        self._nodes += size
        self._repeated += size
        if self._repeated > MAX_REPEATED_NODES:
            raise _fault("aliases multiply this document beyond any use; use $ref", event)
        stack = self._stack
        if stack and stack[-1].key is None and type(stack[-1].value) is dict:
            raise _fault("an alias cannot be a key; write the key itself", event)
        self._add(value, event)

    def _add(self, value: Any, event: Any) -> None:
        if not self._stack:
            self._root = value
            return
        parent = self._stack[-1]
        target = parent.value
        if isinstance(target, list):
            target.append(value)
            return
        key, parent.key = parent.key, None
        if key == "<<" and key not in target:
            parent.merged.extend(_merged(value, event))
            return
        if key is not None:
            target[key] = value


def _merged(value: Any, event: Any) -> list[dict[str, Any]]:
    sources = value if isinstance(value, list) else [value]
    if not all(isinstance(source, dict) for source in sources):
        raise _fault("`<<` merges objects only", event)
    return sources


def _resolve(event: Any) -> Any:
    """The value of a plain or tagged scalar."""
    text: str = event.value
    tag = event.tag
    if tag in ("!", _TAG + "str"):
        return text
    if tag is not None and tag not in _RESOLVED_TAGS:
        raise _fault(f"the tag `{shown(tag)}` is not plain data; remove it", event)
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_START:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    elif not _NOT_FINITE.fullmatch(text):
        return text
    raise _fault(f"`{shown(text)}` is not a number JSON can hold; quote it", event)


def _fault(problem: str, event: Any) -> SyntaxFault:
    mark = event.start_mark
    return SyntaxFault(problem, line=mark.line + 1, column=mark.column + 1)
