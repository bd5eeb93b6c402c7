"""Secrets kept out of the log: by the name of the key, and by how the value looks."""

import re
from collections.abc import Mapping
from typing import Any, Final

MASK: Final = "***"
MAX_DEPTH: Final = 8

_SECRET_NAME = re.compile(
    r"(^|_)(authorization|passw(or)?d|passphrase|secret|token|cookie|credentials?"
    r"|(api|secret|private|signing)_?key)$"
)
_SECRET_TEXT = re.compile(
    r"msil_[A-Za-z0-9_\-]{16,}"  # an API key of this service
    r"|(?<=[Bb]earer )[A-Za-z0-9._~+/=\-]{8,}"
    r"|(?<=[Bb]asic )[A-Za-z0-9+/=]{8,}"
    r"|(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"  # user and password in a URL
)
_KNOWN_NAMES_LIMIT = 4096
_known_names: dict[str, bool] = {}


def names_a_secret(key: str) -> bool:
    """Whether a value under this key is masked whatever it is; `prompt_tokens` is not a secret."""
    known = _known_names.get(key)
    if known is None:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower().replace("-", "_")
        known = _SECRET_NAME.search(words) is not None
        if len(_known_names) < _KNOWN_NAMES_LIMIT:
            _known_names[key] = known
    return known


def mask_text(text: str) -> str:
    """The text with anything that looks like a credential of ours or of HTTP replaced."""
    # Four substring searches are much cheaper than the expression, and nearly always enough.
    if "msil_" in text or "earer " in text or "asic " in text or "://" in text:
        return _SECRET_TEXT.sub(MASK, text)
    return text


def mask(value: Any, *, depth: int = 0) -> Any:
    """A JSON-like copy of the value without secrets; nested too deep, it is cut off."""
    if isinstance(value, str):
        return mask_text(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth >= MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        return {
            str(key): MASK if names_a_secret(str(key)) and item else mask(item, depth=depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [mask(item, depth=depth + 1) for item in value]
    return mask_text(str(value))
