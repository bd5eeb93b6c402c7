"""Which language somebody is spoken to: their own setting, else what their browser asks for."""

import re
from collections.abc import Mapping
from typing import Any, Final

from msil_mcp.locales.catalogue import ENGLISH, LANGUAGES, Language

LONGEST_HEADER: Final = 1000
_RANGE: Final = re.compile(
    r"\s*([A-Za-z]{1,8})(?:-[A-Za-z0-9]{1,8})*\s*(?:;\s*q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?"
)


def matched(tag: str | None) -> Language | None:
    """The language of a tag such as `hi-IN`; None for one that is not spoken here."""
    spoken = (tag or "").partition("-")[0].lower()
    return next((language for language in LANGUAGES if language == spoken), None)


def preferred(header: str) -> Language:
    """The best of what an Accept-Language header asks for (RFC 9110, 12.5.4); else English."""
    best, weight = ENGLISH, 0.0
    for part in header[:LONGEST_HEADER].split(","):
        found = _RANGE.fullmatch(part)
        if found is None or (language := matched(found[1])) is None:
            continue
        wanted = float(found[2] or 1)
        if wanted > weight:
            best, weight = language, wanted
    return best


def language_of(scope: Mapping[str, Any]) -> Language:
    """For the answer to a request, or what is told on a connection; `scope` is ASGI's."""
    if (own := matched(scope.get("state", {}).get("locale"))) is not None:
        return own
    asked = [value for name, value in scope["headers"] if name == b"accept-language"]
    return preferred(b",".join(asked).decode("latin-1"))
