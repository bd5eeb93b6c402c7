"""What callers are called, by their ids."""

from collections.abc import Collection, Mapping

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from msil_mcp.identity.tables import ApiKey, User


async def names_of(session: AsyncSession, callers: Collection[str]) -> Mapping[str, str]:
    """What users and keys are called; whom only an identity provider knows has no name here."""
    users = {int(one.removeprefix("user:")): one for one in callers if _numbered(one, "user:")}
    keys = {int(one.removeprefix("key:")): one for one in callers if _numbered(one, "key:")}
    found: dict[str, str] = {}
    query = select(User.id, User.display_name).where(User.id.in_(list(users)))
    for user_id, name in await session.execute(query):
        found[users[user_id]] = name
    query = select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(list(keys)))
    for key_id, name in await session.execute(query):
        found[keys[key_id]] = name
    return found


def _numbered(caller: str, kind: str) -> bool:
    return caller.startswith(kind) and caller.removeprefix(kind).isdecimal()
