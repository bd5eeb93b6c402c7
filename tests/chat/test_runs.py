"""Runs: one at a time, kept by a lease, ended once, and marked when their maker is gone."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from chat.conversations import answer, say, user
from msil_mcp.chat.errors import CannotBranch, RunActive, RunLost
from msil_mcp.chat.messages import Usage
from msil_mcp.chat.models import ChatRun, ChatSession
from msil_mcp.chat.parts import TextPart
from msil_mcp.chat.runs import (
    RunOutcome,
    finish_run,
    hold_run,
    let_wait,
    reap_run,
    renew_runs,
    request_stop,
    take_run,
)
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database, utc_now
from msil_mcp.principal import Principal

pytestmark = pytest.mark.anyio

HELLO = (TextPart("hello"),)


async def begun(
    service: SessionService, who: Principal, *, owner: str | None = "a", lease: float = 6.0
) -> tuple[ChatSession, ChatRun]:
    chat = await service.create(who)
    _, run = await service.begin_run(who, chat.id, HELLO, owner=owner, lease_seconds=lease)
    return chat, run


async def test_of_fifty_submits_one_runs_and_the_rest_leave_nothing(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)

    submits = [
        service.begin_run(asha, chat.id, (TextPart(str(number)),), owner="a")
        for number in range(50)
    ]
    done = await asyncio.gather(*submits, return_exceptions=True)
    refused = [one for one in done if isinstance(one, RunActive)]
    [(_, run)] = [one for one in done if isinstance(one, tuple)]
    assert len(refused) == 49
    assert {error.facts["run_id"] for error in refused} == {run.id}
    assert [row.sequence for row in await service.history(asha, chat.id)] == [1]


async def test_a_run_ends_once_with_what_it_took(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await begun(service, asha)
    outcome = RunOutcome(
        state="succeeded", usage=Usage(input_tokens=9, cost_nanos=1350), model_requests=2
    )
    async with database.unit_of_work() as session:
        await finish_run(session, await hold_run(session, run.id, owner="a"), outcome)
    assert await service.active_run(asha, chat.id) is None
    for owner in ("a", "b"):
        with pytest.raises(RunLost):
            async with database.unit_of_work() as session:
                await hold_run(session, run.id, owner=owner)
    await service.begin_run(asha, chat.id, HELLO, owner="b")


async def test_a_dead_run_and_its_half_answer_are_marked(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await begun(service, asha, lease=-1)
    half = replace(answer("Hel", status="partial"), run_id=run.id)
    [message] = await say(service, asha, chat, half)
    async with database.unit_of_work() as session:
        held = await hold_run(session, run.id, owner="a", lease_seconds=-1)
        held.assistant_message_id = message.id
    async with database.unit_of_work() as session:
        assert await reap_run(session, run.id, now=utc_now()) is not None
    assert [row.status for row in await service.history(asha, chat.id)] == [
        "complete",
        "interrupted",
    ]
    await service.branch_from(asha, chat.id, message.id, text=None)
    await service.begin_run(asha, chat.id, None, owner="b")


async def test_a_living_run_is_not_reaped(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await begun(service, asha, lease=-1)
    async with database.unit_of_work() as session:
        assert await renew_runs(session, [run.id], owner="a") == {run.id: False}
        assert await renew_runs(session, [run.id], owner="b") == {}
        assert await reap_run(session, run.id, now=utc_now()) is None
    assert await service.active_run(asha, chat.id) is not None


async def test_a_run_that_waits_for_a_person_needs_no_process(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await begun(service, asha)
    async with database.unit_of_work() as session:
        await let_wait(session, await hold_run(session, run.id, owner="a"))
        await reap_run(session, run.id, now=utc_now() + timedelta(days=1))
    with pytest.raises(RunActive):
        await service.begin_run(asha, chat.id, HELLO, owner="b")
    async with database.unit_of_work() as session:
        assert (await take_run(session, run.id, owner="b")).state == "running"
    with pytest.raises(RunLost):
        async with database.unit_of_work() as session:
            await take_run(session, run.id, owner="c")


async def test_a_queued_run_is_taken_by_one_of_many(
    service: SessionService, database: Database, asha: Principal
) -> None:
    _, run = await begun(service, asha, owner=None)

    async def take(owner: str) -> str | None:
        try:
            async with database.unit_of_work() as session:
                await take_run(session, run.id, owner=owner)
        except RunLost:
            return None
        return owner

    taken = await asyncio.gather(*(take(str(number)) for number in range(8)))
    assert len([owner for owner in taken if owner]) == 1


async def test_stopping_reaches_the_maker_or_ends_what_nobody_makes(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await begun(service, asha)
    async with database.unit_of_work() as session:
        await request_stop(session, chat.id)
        assert await renew_runs(session, [run.id], owner="a") == {run.id: True}
    waiting, _ = await begun(service, asha, owner=None)
    async with database.unit_of_work() as session:
        stopped = await request_stop(session, waiting.id)
        assert stopped is not None
        assert stopped.state == "stopped"
        assert await request_stop(session, waiting.id) is None


async def test_deleting_a_session_asks_its_run_to_stop(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat, run = await begun(service, asha)
    await service.delete(asha, chat.id)
    async with database.unit_of_work() as session:
        assert await renew_runs(session, [run.id], owner="a") == {run.id: True}


async def test_the_head_stays_while_a_run_writes_below_it(
    service: SessionService, asha: Principal
) -> None:
    chat, run = await begun(service, asha)
    attempts = (
        lambda: service.branch_from(asha, chat.id, run.user_message_id, text="other"),
        lambda: service.switch_branch(asha, chat.id, run.user_message_id),
    )
    for attempt in attempts:
        with pytest.raises(RunActive):
            await attempt()


async def test_a_run_without_words_needs_a_question_at_the_head(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    with pytest.raises(CannotBranch):
        await service.begin_run(asha, chat.id, None, owner="a")
    await say(service, asha, chat, user("hi"), answer("Hello"))
    with pytest.raises(CannotBranch):
        await service.begin_run(asha, chat.id, None, owner="a")
