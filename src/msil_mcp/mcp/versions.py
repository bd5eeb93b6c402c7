"""Protocol versions and the two eras they belong to."""

from typing import Final

from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

LEGACY: Final = HANDSHAKE_PROTOCOL_VERSIONS
MODERN: Final = MODERN_PROTOCOL_VERSIONS
LATEST_LEGACY: Final = LEGACY[-1]
LATEST_MODERN: Final = MODERN[-1]
BATCHING: Final = "2025-03-26"

_LEGACY = frozenset(LEGACY)


def is_legacy(version_header: str | None) -> bool:
    """Whether a request belongs to the era of sessions: no version header, or a legacy one."""
    return version_header is None or version_header in _LEGACY


def negotiate(requested: str) -> str:
    """The version an initialize is answered with."""
    return requested if requested in _LEGACY else LATEST_LEGACY


def has_priming_events(version: str) -> bool:
    """Whether clients of this version understand an event without data, sent for its id."""
    return version >= "2025-11-25"
