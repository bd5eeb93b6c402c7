"""/api/keys: API keys; a key is shown once, when it is made."""

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.requests import Request

from msil_mcp.db.database import database_of
from msil_mcp.identity.administering import administering
from msil_mcp.identity.keys import (
    IssuedKey,
    KeyEnded,
    KeyNotFound,
    NewKey,
    issue_key,
    list_keys,
    revoke_key,
    rotate_key,
)
from msil_mcp.identity.roles import GrantExceedsOwn
from msil_mcp.identity.rotation import RotationBody
from msil_mcp.identity.wiring import identity_of
from msil_mcp.pagination import Cursor, Limit, Page, decode_cursor, page_of
from msil_mcp.principal import Principal, require

router = APIRouter(prefix="/api/keys", tags=["keys"])
KeyAdmin = Annotated[Principal, Depends(require("keys:manage"))]
Scope = Annotated[str, Field(pattern=r"^(tools|tool:\S{1,200}|bundle:\S{1,200})$")]


class KeyView(BaseModel):
    """A key as one may see it after it was made: its first characters, never the rest."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    name: str
    prefix: str
    owner_id: int | None
    roles: list[str]
    scopes: list[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


class KeyBody(BaseModel):
    """A key to make; without scopes its roles alone say which tools it sees."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    roles: list[Annotated[str, Field(max_length=64)]] = Field(default=["user"], max_length=32)
    scopes: list[Scope] | None = Field(None, max_length=200)
    owner_id: int | None = None
    expires_at: AwareDatetime | None = None


class FreshKey(BaseModel):
    """A key just made; `token` is shown only now."""

    key: KeyView
    token: str

    @classmethod
    def of(cls, issued: IssuedKey) -> "FreshKey":
        """What the maker of the key is shown."""
        return cls(key=KeyView.model_validate(issued.row), token=issued.token)


@router.get("")
async def read_keys(
    _: KeyAdmin, request: Request, limit: Limit = 50, cursor: Cursor = None
) -> Page[KeyView]:
    """Keys by id, revoked and expired ones included."""
    after = decode_cursor(cursor, tuple[int])[0] if cursor else 0
    async with database_of(request).reading() as session:
        found = await list_keys(session, after=after, limit=limit)
    rows, following = page_of(found, limit=limit, key=lambda row: (row.id,))
    return Page(items=[KeyView.model_validate(row) for row in rows], next_cursor=following)


@router.post("", status_code=201, responses={403: {"description": GrantExceedsOwn.title}})
async def add_key(body: KeyBody, admin: KeyAdmin, request: Request) -> FreshKey:
    """Make a key; the answer is the only place it is ever shown."""
    facts = body.model_dump()
    async with administering(request, admin) as change:
        issued = await issue_key(
            change.session, new=NewKey(**facts), mac=identity_of(request).key_mac, by=admin
        )
        change.record("key.created", f"key:{issued.row.id}", **body.model_dump(mode="json"))
    return FreshKey.of(issued)


@router.delete("/{key_id}", status_code=204, responses={404: {"description": KeyNotFound.title}})
async def end_key(key_id: int, admin: KeyAdmin, request: Request) -> None:
    """Revoke a key; every process refuses it within a second."""
    async with administering(request, admin) as change:
        row = await revoke_key(change.session, key_id=key_id)
        change.record("key.revoked", f"key:{row.id}", name=row.name)


@router.post("/{key_id}/rotate", status_code=201, responses={409: {"description": KeyEnded.title}})
async def renew_key(key_id: int, body: RotationBody, admin: KeyAdmin, request: Request) -> FreshKey:
    """Make a key's successor; the old one keeps working for the overlap."""
    mac, overlap = identity_of(request).key_mac, timedelta(seconds=body.overlap_seconds)
    async with administering(request, admin) as change:
        issued = await rotate_key(change.session, key_id=key_id, overlap=overlap, mac=mac, by=admin)
        change.record("key.rotated", f"key:{key_id}", successor=f"key:{issued.row.id}")
    return FreshKey.of(issued)
