"""API keys: made once, shown once, kept as a keyed hash, rotated with an overlap.

A key reads `msil_` + 8 characters that may be shown + `_` + 43 that may not (256 bits, base 62).
A key with an owner never has more roles than its owner has now, and none once the owner is
disabled.
"""

import secrets
import string
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from msil_mcp.db.database import utc_now
from msil_mcp.db.generation import bump_generation
from msil_mcp.errors import Conflict, NotFound, Unprocessable
from msil_mcp.identity.roles import check_grant, check_reach
from msil_mcp.identity.tables import ApiKey
from msil_mcp.identity.users import find_user
from msil_mcp.principal import Principal
from msil_mcp.sealing import Mac

PURPOSE = "api-key"
SCHEME = "msil_"
ALPHABET = string.ascii_letters + string.digits
PREFIX_CHARACTERS = 8
SECRET_CHARACTERS = 43
IN_USE = timedelta(days=7)
TOKEN_CHARACTERS = len(SCHEME) + PREFIX_CHARACTERS + 1 + SECRET_CHARACTERS


class KeyNotFound(NotFound):
    """No API key has the id."""

    slug = "key_not_found"

    def __init__(self, key_id: int) -> None:
        super().__init__(key_id=key_id)


class KeyEnded(Conflict):
    """The key was revoked or has expired, so there is nothing to rotate."""

    slug = "key_ended"

    def __init__(self, key_id: int) -> None:
        super().__init__(key_id=key_id)


class BadExpiry(Unprocessable):
    """The expiry is not in the future."""

    slug = "bad_expiry"


@dataclass(frozen=True, slots=True)
class NewKey:
    """What a key is to be; scopes of None leave its roles' sight of tools whole."""

    name: str
    roles: Sequence[str]
    scopes: Sequence[str] | None = None
    owner_id: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A fresh key; `token` exists only here and with whoever it is handed to."""

    row: ApiKey
    token: str


def looks_like_key(credential: str) -> bool:
    """Whether the credential has the shape of an API key, right or wrong."""
    return credential.startswith(SCHEME)


def make_token() -> str:
    """A fresh key."""
    random = "".join(secrets.choice(ALPHABET) for _ in range(PREFIX_CHARACTERS + SECRET_CHARACTERS))
    return f"{SCHEME}{random[:PREFIX_CHARACTERS]}_{random[PREFIX_CHARACTERS:]}"


async def issue_key(
    session: AsyncSession, *, new: NewKey, mac: Mac, by: Principal, token: str | None = None
) -> IssuedKey:
    """Store a key and hand it out; `token` only where it was made before, as the demo does."""
    await bump_generation(session)
    await check_grant(session, roles=new.roles, by=by)
    check_reach(new.scopes, by=by)
    if new.expires_at is not None and new.expires_at <= utc_now():
        raise BadExpiry
    if new.owner_id is not None:
        owner = await find_user(session, user_id=new.owner_id)
        await check_grant(session, roles=owner.roles, by=by)
    issued = _issued(new=new, mac=mac, created_by=by.id, token=token or make_token())
    session.add(issued.row)
    await session.flush()
    return issued


async def list_keys(session: AsyncSession, *, after: int, limit: int) -> Sequence[ApiKey]:
    """Keys by id, one more than asked for, revoked ones included."""
    query = select(ApiKey).where(ApiKey.id > after).order_by(ApiKey.id).limit(limit + 1)
    return list(await session.scalars(query))


async def count_expiring(session: AsyncSession, *, within: timedelta) -> int:
    """Keys used in the last week that expire so soon and have no successor."""
    now, newer = utc_now(), aliased(ApiKey)
    successor = exists().where(
        newer.name == ApiKey.name,
        newer.owner_id.is_not_distinct_from(ApiKey.owner_id),
        newer.id > ApiKey.id,
        newer.revoked_at.is_(None),
        or_(newer.expires_at.is_(None), newer.expires_at > ApiKey.expires_at),
    )
    query = select(func.count()).where(
        ApiKey.revoked_at.is_(None),
        ApiKey.expires_at > now,
        ApiKey.expires_at <= now + within,
        ApiKey.last_used_at >= now - IN_USE,
        ~successor,
    )
    return (await session.execute(query)).scalar_one()


async def revoke_key(session: AsyncSession, *, key_id: int) -> ApiKey:
    """End a key for good; ending it twice keeps the first time."""
    await bump_generation(session)
    row = await _key(session, key_id)
    row.revoked_at = row.revoked_at or utc_now()
    return row


async def rotate_key(
    session: AsyncSession, *, key_id: int, overlap: timedelta, mac: Mac, by: Principal
) -> IssuedKey:
    """A successor with the same rights and lifetime; the old key works for `overlap` longer."""
    await bump_generation(session)
    old = await _key(session, key_id)
    now = utc_now()
    if old.revoked_at is not None or (old.expires_at is not None and old.expires_at <= now):
        raise KeyEnded(key_id)
    lifetime = None if old.expires_at is None else old.expires_at - old.created_at
    successor = NewKey(
        name=old.name,
        roles=old.roles,
        scopes=old.scopes,
        owner_id=old.owner_id,
        expires_at=None if lifetime is None else now + lifetime,
    )
    issued = await issue_key(session, new=successor, mac=mac, by=by)
    old.expires_at = now + overlap if old.expires_at is None else min(old.expires_at, now + overlap)
    if not overlap:
        old.revoked_at = now
    return issued


def _issued(*, new: NewKey, mac: Mac, created_by: str, token: str) -> IssuedKey:
    row = ApiKey(
        name=new.name,
        prefix=token[: len(SCHEME) + PREFIX_CHARACTERS],
        digest=mac.digest(token.encode()),
        key_id=mac.key_id,
        owner_id=new.owner_id,
        roles=sorted(set(new.roles)),
        scopes=None if new.scopes is None else sorted(set(new.scopes)),
        created_by=created_by,
        expires_at=new.expires_at,
    )
    return IssuedKey(row=row, token=token)


async def _key(session: AsyncSession, key_id: int) -> ApiKey:
    row = await session.get(ApiKey, key_id, with_for_update=True)
    if row is None:
        raise KeyNotFound(key_id)
    return row
