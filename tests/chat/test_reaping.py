"""What a dead run leaves behind: its last words from the bus, and an end for each of its calls."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from chat.conversations import answer, execution, say
from databases import Templates
from locking import on_postgresql, until_waiting
from msil_mcp.bus import MemoryBus
from msil_mcp.chat.messages import Draft
from msil_mcp.chat.models import ChatMessage, ChatRun, ChatSession, new_id
from msil_mcp.chat.overheard import heard_in, mended
from msil_mcp.chat.parts import ApprovalPart, TextPart, ToolCallPart, ToolResultPart
from msil_mcp.chat.publishing import Batch, Publisher
from msil_mcp.chat.reaping import reap
from msil_mcp.chat.runs import hold_run, let_wait
from msil_mcp.chat.session_service import SessionService
from msil_mcp.chat.wire import chunk
from msil_mcp.db.database import Database, utc_now
from msil_mcp.governance.approvals import Approval
from msil_mcp.governance.executions import State, ToolExecution
from msil_mcp.principal import Principal

pytestmark = pytest.mark.anyio

CALL = ToolCallPart(call_id="c1", tool="look_up", arguments={"id": 7})
RESULT = ToolResultPart(call_id="c1", tool="look_up", outcome="succeeded", text="seven")


async def bus_with(run: ChatRun, *chunks: str) -> MemoryBus:
    bus = MemoryBus()
    await bus.start()
    publisher = Publisher(bus, run.id)
    for encoded in chunks:
        publisher.add(encoded)
    await publisher.flush()
    return bus


def spoken(*texts: str) -> list[str]:
    said = [chunk("start", messageId="abc")]
    for number, text in enumerate(texts):
        said.append(chunk("text-start", id=str(number)))
        said += [chunk("text-delta", id=str(number), delta=piece) for piece in text]
    return said


async def dead(
    service: SessionService, who: Principal, *, stored: Draft | None = None
) -> tuple[ChatSession, ChatRun]:
    """A run whose owner's lease has ended, as far as it was stored."""
    chat = await service.create(who)
    _, run = await service.begin_run(
        who, chat.id, (TextPart("Hello"),), owner="gone", lease_seconds=-1
    )
    if stored is not None:
        [message] = await say(service, who, chat, replace(stored, run_id=run.id))
        async with service.database.unit_of_work() as session:
            held = await hold_run(session, run.id, owner="gone", lease_seconds=-1)
            held.assistant_message_id = message.id
    return chat, run


async def open_call(database: Database, chat: ChatSession, run: ChatRun, state: State) -> str:
    left = execution(
        chat,
        state=state,
        tool_name="look_up",
        arguments='{"id":7}',
        result=None,
        owner="gone",
        lease_until=utc_now(),
        finished_at=None,
        run_id=run.id,
    )
    async with database.unit_of_work() as session:
        session.add(left)
    return left.id


async def reaped(database: Database, bus: MemoryBus, *, alive: Sequence[str] = ()) -> list[str]:
    return [run.id async for run in reap(database, bus, alive=alive, language_of=lambda _: "en")]


async def test_what_people_have_heard_of_an_answer_stays(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await dead(service, asha, stored=answer("Hel", status="partial"))
    bus = await bus_with(run, *spoken("Hello to you"))
    assert run.id in await reaped(database, bus)
    [_, message] = await service.history(asha, chat.id)
    assert (message.status, message.parts) == ("interrupted", (TextPart("Hello to you"),))
    [found], _ = await service.list_sessions(asha)
    assert found.id == chat.id


async def test_a_run_that_is_made_here_is_not_ended_because_its_lease_is_late(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await dead(service, asha)
    assert run.id not in await reaped(database, await bus_with(run), alive=[run.id])
    assert await service.active_run(asha, chat.id) is not None
    assert run.id in await reaped(database, await bus_with(run))


async def test_an_answer_that_was_heard_and_never_stored_is_stored(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await dead(service, asha)
    await reaped(database, await bus_with(run, *spoken("Good mor")))
    [question, message] = await service.history(asha, chat.id)
    assert (message.id, message.parent_id) == ("abc", question.id)
    assert (message.status, message.parts) == ("interrupted", (TextPart("Good mor"),))


@pytest.mark.parametrize(
    ("state", "ended", "outcome", "said"),
    [
        ("intended", "failed", "failed", "before this call was sent"),
        ("dispatched", "unknown", "unknown", "not known whether it took effect"),
    ],
)
async def test_an_open_call_ends_by_what_is_known_of_it(
    service: SessionService,
    database: Database,
    asha: Principal,
    state: State,
    ended: str,
    outcome: str,
    said: str,
) -> None:
    asked = Draft(role="assistant", parts=(CALL,), status="partial")
    chat, run = await dead(service, asha, stored=asked)
    execution_id = await open_call(database, chat, run, state)
    await reaped(database, await bus_with(run))
    async with database.reading() as session:
        row = await session.get_one(ToolExecution, execution_id)
    assert (row.state, row.error, row.owner) == (ended, "run_interrupted", None)
    assert row.finished_at is not None
    [_, message] = await service.history(asha, chat.id)
    [_, result] = message.parts
    assert isinstance(result, ToolResultPart)
    assert result.outcome == outcome
    assert said in (result.text or "")


async def waiting(
    service: SessionService, who: Principal, **facts: Any
) -> tuple[ChatSession, ChatRun, str]:
    """A run that asks a person, whom nobody of this process knows."""
    asked = ApprovalPart(call_id="c1", approval_id=f"ap_{new_id()}")
    stored = Draft(role="assistant", parts=(CALL, asked), status="partial")
    chat, run = await dead(service, who, stored=stored)
    now = utc_now()
    values: dict[str, Any] = {
        "id": asked.approval_id,
        "principal_id": who.id,
        "principal_name": who.name,
        "tool_name": "look_up",
        "tool_version_id": 1,
        "tool_hash": "t",
        "arguments_hash": "h",
        "title": "Look up",
        "arguments": {"id": 7},
        "method": "POST",
        "url": "http://127.0.0.1/",
        "origin": "chat",
        "session_id": chat.id,
        "run_id": run.id,
        "correlation_id": "c",
        "created_at": now,
        "expires_at": now + timedelta(minutes=15),
    }
    async with service.database.unit_of_work() as session:
        session.add(Approval(**(values | facts)))
        await let_wait(session, await hold_run(session, run.id, owner="gone"))
    return chat, run, asked.approval_id


async def test_a_decision_nobody_acts_on_ends_the_answer_and_is_void(
    service: SessionService, database: Database, asha: Principal
) -> None:
    ago = utc_now() - timedelta(seconds=20)
    chat, run, approval_id = await waiting(service, asha, state="approved", decided_at=ago)
    assert run.id in await reaped(database, await bus_with(run))
    async with database.reading() as session:
        ended = await session.get_one(ChatRun, run.id)
        approval = await session.get_one(Approval, approval_id)
    assert (ended.state, ended.error) == ("interrupted", "run_interrupted")
    assert (approval.state, approval.reason) == (
        "declined",
        "The answer was interrupted before anything was done.",
    )
    [_, message] = await service.history(asha, chat.id)
    assert isinstance(message.parts[-1], ToolResultPart)
    assert message.parts[-1].outcome == "denied"


@pytest.mark.parametrize("state", ["pending", "approved"])
async def test_a_question_that_waits_or_was_just_answered_stays(
    service: SessionService, database: Database, asha: Principal, state: str
) -> None:
    decided = None if state == "pending" else utc_now()
    _, run, _ = await waiting(service, asha, state=state, decided_at=decided)
    assert run.id not in await reaped(database, await bus_with(run))


@pytest.mark.parametrize(("ago", "ended"), [(30, None), (300, "stopped")])
async def test_a_question_that_ran_out_is_gone_on_with_or_ends_as_undecided(
    service: SessionService, database: Database, asha: Principal, ago: int, ended: str | None
) -> None:
    late = utc_now() - timedelta(seconds=ago)
    _, run, _ = await waiting(service, asha, state="expired", expires_at=late)
    assert (run.id in await reaped(database, await bus_with(run))) is (ended is not None)
    async with database.reading() as session:
        state = (await session.get_one(ChatRun, run.id)).state
    assert state == (ended or "waiting_approval")


async def test_a_dead_run_is_ended_while_another_cannot_be_yet(
    templates: Templates, new_person: Callable[..., Principal]
) -> None:
    async with on_postgresql(templates) as database:
        service = SessionService(database)
        half = answer("Hel", status="partial")
        _, first = await dead(service, new_person(), stored=half)
        _, second = await dead(service, new_person(), stored=half)
        bus = await bus_with(first)
        async with asyncio.TaskGroup() as tasks, database.sessions() as holding:
            held = await holding.get_one(ChatRun, second.id)
            await holding.get(ChatMessage, held.assistant_message_id, with_for_update=True)
            reaping = tasks.create_task(reaped(database, bus))
            await until_waiting(database)
            async with database.reading() as session:
                assert (await session.get_one(ChatRun, first.id)).state == "interrupted"
                assert (await session.get_one(ChatRun, second.id)).state == "running"
        assert set(reaping.result()) == {first.id, second.id}
        await bus.close()


def test_texts_go_on_only_where_both_agree() -> None:
    first, cut, whole = TextPart("One."), TextPart("Tw"), TextPart("Two.")
    assert mended((first, CALL, RESULT, cut), ["One.", "Two."]) == (first, CALL, RESULT, whole)
    assert mended((first, CALL, RESULT), ["One.", "Two."]) == (first, CALL, RESULT, whole)
    assert mended((first, CALL, RESULT), ["One. And"]) == (first, CALL, RESULT)
    assert mended((first, CALL, RESULT, whole), ["One."]) == (first, CALL, RESULT, whole)
    assert mended((cut,), ["Other"]) == (cut,)
    assert mended((cut,), []) == (cut,)


def test_what_has_a_gap_is_not_heard() -> None:
    said = spoken("Hello")
    heard = heard_in(
        [Batch(epoch="a", first=1, chunks=said[:4]), Batch(epoch="a", first=3, chunks=said[2:])]
    )
    assert (heard.message_id, heard.texts) == ("abc", ["Hello"])
    gap = [Batch(epoch="a", first=1, chunks=said[:4]), Batch(epoch="a", first=6, chunks=said[5:])]
    assert heard_in(gap).texts == []
