"""Reading one cookie out of a request's headers."""

from collections.abc import Mapping


def read_cookie(headers: Mapping[str, str], name: str) -> str | None:
    """The cookie's value, if the request carries one of this name."""
    for part in headers.get("cookie", "").split(";"):
        found, _, value = part.strip().partition("=")
        if found == name:
            return value
    return None
