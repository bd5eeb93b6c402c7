"""Messages: numbered without a gap, paged, branched, finished once, rated."""

import asyncio

import pytest
from sqlalchemy import func, select

from chat.conversations import answer, call, result, say, texts, user
from msil_mcp.chat.errors import CannotBranch, CannotRate, MessageFinished, MessageNotFound
from msil_mcp.chat.messages import Usage, change_content
from msil_mcp.chat.models import ChatMessage
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database
from msil_mcp.principal import Principal

pytestmark = pytest.mark.anyio


async def test_messages_come_back_as_they_were_said(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    parts = ("Let me see.", call("c1", plate="MH12AB1234"), result("c1"), "A Swift, \x00 कल ✓")
    usage = Usage(input_tokens=120, output_tokens=30, cached_tokens=64, cost_nanos=36_000)
    await say(service, asha, chat, user("Which car?"), answer(*parts, usage=usage))
    asked, answered = await service.history(asha, chat.id)
    assert answered.parts == answer(*parts).parts
    assert (answered.parent_id, answered.model, answered.status) == (
        asked.id,
        "scripted",
        "complete",
    )
    assert (answered.input_tokens, answered.cached_tokens, answered.cost_nanos) == (120, 64, 36_000)


async def test_fifty_messages_at_once_are_numbered_without_a_gap(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    await asyncio.gather(
        *(service.add_message(asha, chat.id, user(str(number))) for number in range(50))
    )
    async with database.reading() as session:
        query = select(ChatMessage.sequence).where(ChatMessage.session_id == chat.id)
        numbers = (await session.scalars(query.order_by(ChatMessage.sequence))).all()
    assert list(numbers) == list(range(1, 51))
    assert len(await service.history(asha, chat.id)) == 50


async def test_a_failed_append_leaves_no_gap(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    await say(service, asha, chat, user("one"))
    with pytest.raises(MessageNotFound):
        await service.add_message(asha, chat.id, user("lost"), parent_id="0" * 30)
    await say(service, asha, chat, user("two"))
    assert [row.sequence for row in await service.history(asha, chat.id)] == [1, 2]


async def test_pages_of_a_conversation_lead_back_to_its_beginning(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    await say(service, asha, chat, *(user(str(number)) for number in range(7)))
    newest, cursor = await service.messages(asha, chat.id, limit=3)
    middle, cursor = await service.messages(asha, chat.id, limit=3, cursor=cursor)
    oldest, end = await service.messages(asha, chat.id, limit=3, cursor=cursor)
    assert texts(oldest + middle + newest) == [str(number) for number in range(7)]
    assert end is None


async def test_history_is_whole_beyond_one_chunk(service: SessionService, asha: Principal) -> None:
    chat = await service.create(asha)
    await say(service, asha, chat, *(user(str(number)) for number in range(130)))
    assert texts(await service.history(asha, chat.id)) == [str(number) for number in range(130)]


async def test_editing_and_regenerating_branch_without_losing_anything(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    asked, first = await say(service, asha, chat, user("Pune"), answer("five dealers"))
    again = await service.branch_from(asha, chat.id, first.id, text=None)
    assert again.id == asked.id
    [second] = await say(service, asha, chat, answer("three dealers"))
    edited = await service.branch_from(asha, chat.id, asked.id, text="Mumbai")
    await say(service, asha, chat, answer("one dealer"))
    assert texts(await service.history(asha, chat.id)) == ["Mumbai", "one dealer"]
    beginning, answers = await service.branches(asha, chat.id)
    assert (beginning.parent_id, beginning.children) == (None, (asked.id, edited.id))
    assert (beginning.chosen, answers.chosen) == (edited.id, None)
    assert answers.children == (first.id, second.id)
    await service.switch_branch(asha, chat.id, asked.id)
    assert texts(await service.history(asha, chat.id)) == ["Pune", "three dealers"]
    await service.switch_branch(asha, chat.id, first.id)
    assert texts(await service.history(asha, chat.id)) == ["Pune", "five dealers"]
    everything, _ = await service.messages(asha, chat.id, every_branch=True)
    assert [row.sequence for row in everything] == [1, 2, 3, 4, 5]


async def test_a_message_is_branched_only_in_the_way_it_can_be(
    service: SessionService, asha: Principal, stranger: Principal
) -> None:
    chat, other = await service.create(asha), await service.create(stranger)
    greeting, asked = await say(service, asha, chat, answer("Hello"), user("Hi"))
    [foreign] = await say(service, stranger, other, user("private"))
    with pytest.raises(CannotBranch):
        await service.branch_from(asha, chat.id, greeting.id, text="edited")
    with pytest.raises(CannotBranch):
        await service.branch_from(asha, chat.id, greeting.id, text=None)
    with pytest.raises(CannotBranch):
        await service.branch_from(asha, chat.id, asked.id, text=None)
    with pytest.raises(MessageNotFound):
        await service.branch_from(asha, chat.id, foreign.id, text="stolen")
    with pytest.raises(MessageNotFound):
        await service.switch_branch(asha, chat.id, foreign.id)


async def test_a_partial_message_is_finished_once(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    _, partial = await say(service, asha, chat, user("hi"), answer("He", status="partial"))
    async with database.unit_of_work() as session:
        await change_content(
            session,
            partial.id,
            parts=(TextPart("Hello"),),
            status="complete",
            usage=Usage(output_tokens=2),
        )
    with pytest.raises(MessageFinished):
        async with database.unit_of_work() as session:
            await change_content(session, partial.id, parts=(), status="complete")
    _, kept = await service.history(asha, chat.id)
    assert (texts([kept]), kept.status, kept.output_tokens) == (["Hello"], "complete", 2)


async def test_only_answers_are_rated_and_only_by_their_owner(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    asked, answered = await say(service, asha, chat, user("hi"), answer("Hello"))
    rated = await service.rate(asha, chat.id, answered.id, rating="down", comment="too\x00short")
    assert (rated.rating, rated.comment) == ("down", "too short")
    cleared = await service.rate(asha, chat.id, answered.id, rating=None, comment=" ")
    assert (cleared.rating, cleared.comment, cleared.rated_at) == (None, None, None)
    with pytest.raises(CannotRate):
        await service.rate(asha, chat.id, asked.id, rating="up", comment=None)


async def test_appending_runs_as_many_statements_in_a_long_session_as_in_an_empty_one(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    seen: list[int] = []
    counting = Database(database.url, on_query=lambda _: seen.append(1))
    try:
        counted = SessionService(counting)
        await counted.add_message(asha, chat.id, user("first"))
        at_first = len(seen)
        await say(service, asha, chat, *(user(str(number)) for number in range(60)))
        seen.clear()
        await counted.add_message(asha, chat.id, user("last"))
        assert len(seen) == at_first
    finally:
        await counting.close()
    async with database.reading() as session:
        query = select(func.count()).where(ChatMessage.session_id == chat.id)
        assert (await session.execute(query)).scalar_one() == 62
