"""Names of tools: short, safe, unique, and the same every time."""

import hashlib
import re
from collections.abc import Iterable, Mapping

LONGEST_NAME = 64
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


def tool_name(wanted: str, *, method: str, path: str) -> str:
    """A name from what the document wants, or else from method and path."""
    name = _safe(wanted)
    seed = wanted
    if not name:
        seed = f"{method.lower()} {path}"
        name = _safe(seed)
    return name if len(name) <= LONGEST_NAME else _marked(name, seed)


def unique_names(wanted: Iterable[tuple[str, str]]) -> Mapping[str, str]:
    """A distinct name for every key, given (key, wanted name) in order of precedence.

    The first to want a name gets it; the others get it with a mark made from their key, so their
    names do not depend on how many there are.
    """
    keys: dict[str, str] = {}
    taken: set[str] = set()
    later: list[tuple[str, str]] = []
    for key, name in wanted:
        if name in taken:
            later.append((key, name))
        else:
            taken.add(name)
            keys[key] = name
    for key, name in later:
        seed = key
        while (marked := _marked(name, seed)) in taken:
            seed += "'"
        taken.add(marked)
        keys[key] = marked
    return keys


def _safe(text: str) -> str:
    return _UNSAFE.sub("_", text.replace("{", "").replace("}", "")).strip("_")


def _marked(name: str, seed: str) -> str:
    mark = hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 9].rstrip('_-')}_{mark}"
