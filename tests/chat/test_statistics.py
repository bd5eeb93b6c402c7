"""Statistics are what one would count by hand over the rows."""

import asyncio
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from chat.conversations import answer, execution, user
from msil_mcp.chat.messages import Draft, Usage
from msil_mcp.chat.models import ChatMessage, ChatSession, new_id
from msil_mcp.chat.parts import encode_parts
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database
from msil_mcp.governance.executions import ToolExecution
from msil_mcp.principal import Principal

MOMENTS = st.integers(0, 10**9).map(
    lambda micros: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)
TOKENS = st.integers(0, 2_000_000)
MESSAGES = st.lists(
    st.tuples(
        st.sampled_from([user("q"), answer("a")]),
        st.builds(
            Usage,
            input_tokens=TOKENS,
            output_tokens=TOKENS,
            cached_tokens=TOKENS,
            cost_nanos=st.integers(0, 10**13),
        ),
        MOMENTS,
    ),
    max_size=12,
)
CALLS = st.lists(
    st.tuples(
        st.sampled_from(["intended", "dispatched", "succeeded", "failed", "unknown"]),
        st.none() | st.floats(0, 60_000),
        MOMENTS,
    ),
    max_size=30,
)


def by_hand(messages: list[ChatMessage], calls: list[ToolExecution]) -> dict[str, Any]:
    ended = [call for call in calls if call.state in {"succeeded", "failed", "unknown"}]
    good = [call for call in calls if call.state == "succeeded"]
    times = sorted(call.duration_ms for call in calls if call.duration_ms is not None)
    moments = [row.created_at for row in (*messages, *calls)]
    return {
        "messages": len(messages),
        "user_messages": len([row for row in messages if row.role == "user"]),
        "assistant_messages": len([row for row in messages if row.role == "assistant"]),
        "tool_calls": len(calls),
        "tool_calls_succeeded": len(good),
        "tool_calls_failed": len(ended) - len(good),
        "success_rate": pytest.approx(len(good) / len(ended)) if ended else None,
        "average_tool_ms": pytest.approx(sum(times) / len(times)) if times else None,
        "p95_tool_ms": times[ceil(0.95 * len(times) - 1e-9) - 1] if times else None,
        "input_tokens": sum(row.input_tokens for row in messages),
        "output_tokens": sum(row.output_tokens for row in messages),
        "cached_tokens": sum(row.cached_tokens for row in messages),
        "cost_nanos": sum(row.cost_nanos for row in messages),
        "first_activity_at": min(moments, default=None),
        "last_activity_at": max(moments, default=None),
    }


def message(chat: ChatSession, number: int, draft: Draft, usage: Usage, at: Any) -> ChatMessage:
    return ChatMessage(
        id=new_id(),
        session_id=chat.id,
        sequence=number,
        role=draft.role,
        content=encode_parts(draft.parts),
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cost_nanos=usage.cost_nanos,
        created_at=at,
    )


@pytest.mark.anyio
async def test_an_empty_session_amounts_to_nothing(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    found = await service.statistics(asha, chat.id)
    assert {name: getattr(found, name) for name in found.__slots__} == by_hand([], [])


@pytest.mark.anyio
async def test_calls_of_other_doors_and_other_sessions_do_not_count(
    service: SessionService, database: Database, asha: Principal, stranger: Principal
) -> None:
    chat, other = await service.create(asha), await service.create(stranger)
    async with database.unit_of_work() as session:
        session.add_all([execution(chat), execution(chat, origin="mcp"), execution(other)])
    assert (await service.statistics(asha, chat.id)).tool_calls == 1
    assert len((await service.tool_executions(asha, chat.id))[0]) == 1


class Recount:
    """Fills one session again and again, and compares."""

    def __init__(self, service: SessionService, who: Principal, chat: ChatSession) -> None:
        self._service, self._who, self._chat = service, who, chat

    async def check(self, said: list[Any], done: list[Any]) -> None:
        chat = self._chat
        messages = [message(chat, number, *facts) for number, facts in enumerate(said)]
        calls = [
            execution(chat, state=state, duration_ms=took, created_at=at)
            for state, took, at in done
        ]
        expected = by_hand(messages, calls)
        async with self._service.database.unit_of_work() as session:
            await session.execute(delete(ChatMessage).where(ChatMessage.session_id == chat.id))
            await session.execute(delete(ToolExecution).where(ToolExecution.session_id == chat.id))
            session.add_all([*messages, *calls])
        found = await self._service.statistics(self._who, chat.id)
        assert {name: getattr(found, name) for name in found.__slots__} == expected


def test_statistics_equal_what_is_recomputed_from_the_rows(
    service: SessionService, asha: Principal
) -> None:
    with asyncio.Runner() as runner:
        database = Database(service.database.url)
        own = SessionService(database)
        recount = Recount(own, asha, runner.run(own.create(asha)))

        @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
        @given(MESSAGES, CALLS)
        def compare(said: list[Any], done: list[Any]) -> None:
            runner.run(recount.check(said, done))

        compare()
        runner.run(database.close())
