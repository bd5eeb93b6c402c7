"""Names that every provider accepts, for tools and for properties, and the way back."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

LONGEST: Final = 64
_TOOL: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PROPERTY: Final = re.compile(r"[a-zA-Z0-9_.-]{1,64}")


def tool_names(names: Iterable[str]) -> Mapping[str, str]:
    """For each tool's own name the one a model sees; the same names get the same answer."""
    return _accepted(names, _TOOL)


def property_names(names: Iterable[str]) -> Mapping[str, str]:
    """For each property's own name the one a model sees."""
    return _accepted(names, _PROPERTY)


def _accepted(names: Iterable[str], pattern: re.Pattern[str]) -> Mapping[str, str]:
    own = list(names)
    fine = {name for name in own if pattern.fullmatch(name)}
    return {name: name if name in fine else _renamed(name, taken=fine) for name in own}


def _renamed(name: str, *, taken: set[str]) -> str:
    """Letters that are allowed, and a digest so that no two names become one."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    readable = re.sub(r"[^a-zA-Z0-9_-]+", "_", name).strip("_")
    length = 8
    while True:
        candidate = f"{readable[: LONGEST - length - 1]}_{digest[:length]}".lstrip("_")
        if candidate not in taken:
            return candidate
        length += 8
