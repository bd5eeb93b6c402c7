"""Sessions: whose they are, how they are listed, found, changed, deleted and restored."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from chat.conversations import answer, say, user
from msil_mcp.chat.errors import SessionNotFound
from msil_mcp.chat.session_service import SessionChange, SessionService
from msil_mcp.chat.sessions import SessionFilters
from msil_mcp.pagination import BadCursor
from msil_mcp.principal import Principal

pytestmark = pytest.mark.anyio


async def titles(service: SessionService, who: Principal, **filters: Any) -> list[str]:
    rows, _ = await service.list_sessions(who, SessionFilters(**filters))
    return [row.title for row in rows]


async def test_a_session_takes_its_title_from_the_first_thing_said(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    long = "Book a service for my Swift tomorrow at ten in the morning, near Hinjewadi please, Pune"
    await say(service, asha, chat, user(long), answer("When?"), user("Tomorrow"))
    title = (await service.get(asha, chat.id)).title
    assert title == "Book a service for my Swift tomorrow at ten in the morning, near Hinjewadi…"


async def test_pinned_sessions_come_first_then_the_last_active(
    service: SessionService, asha: Principal
) -> None:
    first, second, third = [await service.create(asha, title=t) for t in ("one", "two", "three")]
    await say(service, asha, second, user("hello"))
    await service.update(asha, first.id, SessionChange(pinned=True))
    assert await titles(service, asha) == ["one", "two", "three"]
    await service.update(asha, third.id, SessionChange(title="renamed"))
    assert await titles(service, asha) == ["one", "two", "renamed"]


async def test_pages_meet_without_a_gap_or_a_repetition(
    service: SessionService, asha: Principal
) -> None:
    made = [await service.create(asha, title=str(number)) for number in range(7)]
    await service.update(asha, made[3].id, SessionChange(pinned=True))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        rows, cursor = await service.list_sessions(asha, cursor=cursor, limit=3)
        seen += [row.title for row in rows]
        if cursor is None:
            break
    assert seen == ["3", "6", "5", "4", "2", "1", "0"]


@pytest.mark.parametrize("cursor", ["?", "WzFd", "bm90IGpzb24"])
async def test_a_cursor_of_somebody_elses_making_is_refused(
    service: SessionService, asha: Principal, cursor: str
) -> None:
    with pytest.raises(BadCursor):
        await service.list_sessions(asha, cursor=cursor)


async def test_archived_sessions_are_on_a_shelf_of_their_own(
    service: SessionService, asha: Principal
) -> None:
    old, _ = [await service.create(asha, title=title) for title in ("old", "new")]
    await service.update(asha, old.id, SessionChange(archived=True))
    assert await titles(service, asha) == ["new"]
    assert await titles(service, asha, shelf="archived") == ["old"]
    assert await titles(service, asha, shelf="all") == ["new", "old"]
    assert await titles(service, asha, shelf="all", pinned=True) == []


@pytest.mark.parametrize(
    ("said", "sought"),
    [
        ("Book at Hinjewadi", "hinjewadi"),
        ("Überholung", "ÜBERHOLUNG"),
        ("कल सुबह सर्विस", "सर्विस"),
        ("100 % sure_of it", "100 % sure_"),
        ("it holds a\x00nul", "a nul"),
        ("\uff26\uff35\uff2c\uff2c width", "full WIDTH"),
    ],
)
async def test_search_finds_what_was_said_and_titles(
    service: SessionService, asha: Principal, said: str, sought: str
) -> None:
    by_title = await service.create(asha, title=said)
    by_message = await service.create(asha, title="other")
    await service.create(asha, title="neither")
    await say(service, asha, by_message, user("hello"), answer(said))
    assert await titles(service, asha, search=sought) == ["other", by_title.title]


@pytest.mark.parametrize("sought", ["%", "_", "\\", "100%", "x" * 200])
async def test_search_takes_no_wildcards(
    service: SessionService, asha: Principal, sought: str
) -> None:
    chat = await service.create(asha, title="plain")
    await say(service, asha, chat, user("words"))
    assert await titles(service, asha, search=sought) == []


async def test_somebody_elses_session_looks_like_a_missing_one(
    service: SessionService, asha: Principal, stranger: Principal
) -> None:
    chat = await service.create(asha, title="private")
    for session_id in (chat.id, "0" * 30):
        with pytest.raises(SessionNotFound):
            await service.get(stranger, session_id)
        with pytest.raises(SessionNotFound):
            await service.update(stranger, session_id, SessionChange(title="mine"))
        with pytest.raises(SessionNotFound):
            await service.delete(stranger, session_id)
        with pytest.raises(SessionNotFound):
            await service.add_message(stranger, session_id, user("hello"))
    assert await titles(service, stranger) == []
    with pytest.raises(SessionNotFound):
        await titles(service, stranger, owner_id=asha.id)


async def test_who_may_read_all_reads_and_changes_nothing(
    service: SessionService, asha: Principal, new_person: Callable[..., Principal]
) -> None:
    chat = await service.create(asha, title="private")
    admin = new_person(role="administrator")
    assert (await service.get(admin, chat.id)).title == "private"
    assert await titles(service, admin, owner_id=asha.id) == ["private"]
    assert await titles(service, admin) == []
    with pytest.raises(SessionNotFound):
        await service.update(admin, chat.id, SessionChange(title="changed"))
    with pytest.raises(SessionNotFound):
        await service.delete(admin, chat.id)


async def test_a_deleted_session_is_hidden_and_can_be_restored(
    service: SessionService, asha: Principal, stranger: Principal
) -> None:
    chat = await service.create(asha, title="kept")
    await say(service, asha, chat, user("hello"))
    await service.delete(asha, chat.id)
    assert await titles(service, asha) == []
    with pytest.raises(SessionNotFound):
        await service.get(asha, chat.id)
    with pytest.raises(SessionNotFound):
        await service.restore(stranger, chat.id)
    await service.restore(asha, chat.id)
    assert len(await service.history(asha, chat.id)) == 1


async def test_a_name_leads_to_one_session_however_many_ask_at_once(
    service: SessionService, asha: Principal, stranger: Principal
) -> None:
    made = await asyncio.gather(*(service.get_or_create(asha, "whatsapp") for _ in range(10)))
    assert len({chat.id for chat in made}) == 1
    assert (await service.get_or_create(asha, made[0].id)).id == made[0].id
    theirs = await service.get_or_create(stranger, made[0].id)
    assert (theirs.id != made[0].id, theirs.owner_id) == (True, stranger.id)
    await service.delete(asha, made[0].id)
    assert (await service.get_or_create(asha, "whatsapp")).id != made[0].id
