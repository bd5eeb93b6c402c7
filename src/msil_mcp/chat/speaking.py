"""The language of a conversation: chosen for it, else its person's, else what is asked for."""

from typing import Final

from msil_mcp.errors import MsilError
from msil_mcp.locales import ENGLISH, Language, matched
from msil_mcp.tools.snapshot import SnapshotStore

PERSON: Final = "user:"


def spoken(chosen: str | None, *, otherwise: Language) -> Language:
    """What the server itself says in a conversation; `chosen` may be a language it lacks."""
    return matched(chosen) or otherwise


def language_of_owner(snapshots: SnapshotStore, owner_id: str) -> Language:
    """The setting of the person whose conversation it is, for when nobody asks."""
    if not owner_id.startswith(PERSON):
        return ENGLISH
    try:
        users = snapshots.current().identity.users
    except MsilError:
        return ENGLISH
    user = users.get(int(owner_id.removeprefix(PERSON)))
    return (matched(user.preferences.get("locale")) if user else None) or ENGLISH
