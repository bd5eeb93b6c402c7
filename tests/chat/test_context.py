"""What a model is shown: whole turns that fit, and never a call without its result."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.conversations import answer, call, execution, result, say, summary, user
from msil_mcp.chat.compacting import Sizes, plan_summary
from msil_mcp.chat.context import (
    INTERRUPTED,
    Context,
    Entry,
    Limits,
    cost_of,
    fit,
    paired,
    turns_of,
)
from msil_mcp.chat.executions import FORGOTTEN
from msil_mcp.chat.messages import Draft
from msil_mcp.chat.parts import ApprovalPart, TextPart, ToolCallPart, ToolResultPart
from msil_mcp.chat.session_service import SessionService
from msil_mcp.chat.shortening import Shortener
from msil_mcp.chat.summaries import ChatSummary
from msil_mcp.db.database import Database
from msil_mcp.principal import Principal

WORDS = st.text("ab \n\x00कख✓", max_size=40)
CALL_IDS = st.sampled_from([f"c{number}" for number in range(6)])
PARTS = st.one_of(
    WORDS.map(TextPart),
    CALL_IDS.map(call),
    CALL_IDS.map(result),
    CALL_IDS.map(lambda call_id: result(call_id, text="x" * 400)),
    CALL_IDS.map(lambda call_id: ApprovalPart(call_id=call_id, approval_id="a1")),
)
ROLES = st.sampled_from(["user", "assistant", "assistant", "system"])
SUMMARIES = st.none() | WORDS.map(lambda text: Entry("m", "summary", (TextPart(text),)))


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Anything a crash, an interruption or a careless writer may have left behind."""
    entries = []
    for number in range(draw(st.integers(0, 14))):
        role = draw(ROLES)
        said = draw(st.lists(PARTS, max_size=6)) if role == "assistant" else [TextPart(draw(WORDS))]
        entries.append(Entry(f"m{number}", role, tuple(said)))
    return entries


LIMITS = st.builds(
    Limits,
    tokens=st.none() | st.integers(0, 600),
    messages=st.none() | st.integers(0, 10),
)
SIZES = st.builds(
    lambda budget, share: Sizes(
        budget=budget, threshold=budget * share // 10, summary=budget * share // 40
    ),
    st.integers(0, 1_500),
    st.integers(1, 10),
)

PATIENTLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SHORT = Shortener(150, count=len)
SHORTEST = Shortener(20, count=len)


def fitted(
    history: Sequence[Entry], limits: Limits, summary: Entry | None = None, **facts: Any
) -> Context:
    return fit(history, limits=limits, count=len, summary=summary, short=SHORT, **facts)


def assert_whole(entries: Sequence[Entry]) -> None:
    """Every call is followed by its one result, and nothing else is."""
    calls = [p.call_id for entry in entries for p in entry.parts if isinstance(p, ToolCallPart)]
    assert len(calls) == len(set(calls))
    for entry in entries:
        waiting: list[str] = []
        answered: list[str] = []
        for part in entry.parts:
            assert not isinstance(part, ApprovalPart)
            if isinstance(part, ToolCallPart):
                assert answered == []
                waiting.append(part.call_id)
            elif isinstance(part, ToolResultPart):
                answered.append(part.call_id)
                if answered == waiting:
                    waiting, answered = [], []
            else:
                assert waiting == [], "something stands between a call and its result"
        assert waiting == []
        assert answered == []


def assert_within(context: Context, limits: Limits) -> None:
    """The limits hold, unless the newest turn alone breaks them."""
    assert context.tokens == sum(cost_of(entry, len) for entry in context.entries)
    within = (limits.tokens is None or context.tokens <= limits.tokens) and (
        limits.messages is None or len(context.entries) <= limits.messages
    )
    rest = [entry for entry in context.entries if entry.role != "summary"]
    assert within or len(turns_of(rest)) == 1
    assert context.over_budget == (not within)


@PATIENTLY
@given(histories(), LIMITS, SUMMARIES)
def test_every_call_is_followed_by_its_one_result(
    history: list[Entry], limits: Limits, summary: Entry | None
) -> None:
    assert_whole(fitted(history, limits, summary).entries)


@PATIENTLY
@given(histories(), LIMITS, SUMMARIES)
def test_the_limits_hold_unless_the_newest_turn_alone_breaks_them(
    history: list[Entry], limits: Limits, summary: Entry | None
) -> None:
    assert_within(fitted(history, limits, summary), limits)


@PATIENTLY
@given(histories(), LIMITS, SUMMARIES)
def test_cuts_fall_between_turns_and_what_is_kept_is_the_newest(
    history: list[Entry], limits: Limits, summary: Entry | None
) -> None:
    whole = fitted(history, Limits())
    context = fitted(history, limits, summary)
    everything = [entry.id for entry in whole.entries]
    kept = [entry for entry in context.entries if entry.role != "summary"]
    assert [entry.id for entry in kept] == everything[len(everything) - len(kept) :]
    left_out = summary is not None and summary not in context.entries
    assert context.cut == (len(kept) < len(everything) or left_out)
    if len(kept) < len(everything):
        assert kept[0].role == "user"


@PATIENTLY
@given(histories())
def test_nothing_said_is_lost_without_limits(history: list[Entry]) -> None:
    kept = fitted(history, Limits())

    def said(entries: Sequence[Entry]) -> list[str]:
        return [p.text for entry in entries for p in entry.parts if isinstance(p, TextPart)]

    assert said(kept.entries) == said(history)


@PATIENTLY
@given(histories(), LIMITS)
def test_only_results_of_turns_before_the_last_two_are_always_short(
    history: list[Entry], limits: Limits
) -> None:
    turns = turns_of(fitted(history, limits).entries)
    newest = turns_of(paired(history))[-1:]
    assert turns[-1:] == newest
    for part in (p for turn in turns[:-2] for entry in turn for p in entry.parts):
        assert not isinstance(part, ToolResultPart) or len(part.text or "") < 400


@PATIENTLY
@given(histories(), SIZES, SUMMARIES)
def test_a_summary_covers_whole_older_turns_and_never_the_newest(
    history: list[Entry], sizes: Sizes, summary: Entry | None
) -> None:
    plan = plan_summary(
        history, sizes=sizes, short=SHORT, shortest=SHORTEST, summary=summary, count=len
    )
    turns = turns_of(paired(history))
    if plan is None:
        assert len(turns) < 3 or fitted(history, Limits(tokens=sizes.budget)).tokens <= sizes.budget
        return
    ids = [entry.id for entry in history]
    assert ids[: plan.messages][-1] == plan.until_id
    assert [entry.id for entry in plan.kept] == ids[plan.messages :]
    kept = turns_of(paired(plan.kept))
    assert {entry.id for entry in turns[-1]} <= {entry.id for entry in plan.kept}
    assert kept[0][0].role == "user"
    assert_whole(plan.read)
    read = {entry.id for entry in plan.read}
    assert read <= set(ids[: plan.messages])
    covered = {entry.id for turn in turns for entry in turn} - {e.id for e in plan.kept}
    assert plan.whole == (read == covered)
    made = Entry(plan.until_id, "summary", (TextPart("s" * (sizes.summary // 2)),))
    after = fitted(plan.kept, Limits(tokens=sizes.budget), made)
    assert_whole(after.entries)
    assert_within(after, Limits(tokens=sizes.budget))
    assert turns_of(after.entries)[-1][0].id == turns[-1][0].id


def test_an_interrupted_call_says_that_its_effect_is_not_known() -> None:
    history = [
        Entry("m1", "user", (TextPart("book it"),)),
        Entry("m2", "assistant", (call("c1", "create_service_booking"),)),
        Entry("m3", "user", (TextPart("and?"),)),
    ]
    _, broken, _ = fit(history, limits=Limits()).entries
    made = broken.parts[1]
    assert (made.type, made.outcome, made.text) == ("tool_result", "unknown", INTERRUPTED)


def spoken(context: Context) -> list[str]:
    return [p.text or "" for e in context.entries for p in e.parts if p.type != "tool_call"]


@pytest.mark.anyio
async def test_the_newest_turns_are_recalled_with_the_results_of_their_calls(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    row = execution(chat)
    async with database.unit_of_work() as session:
        session.add(row)
    turns: list[Draft] = []
    for number in range(100):
        turns += [user(f"question {number}"), answer(f"answer {number}")]
    found = result("c1", text=None, execution_id=row.id)
    lost = result("c2", text=None, execution_id="0" * 30)
    await say(
        service, asha, chat, *turns, user("last"), answer(call("c1"), call("c2"), found, lost)
    )
    context = await service.context(asha, chat.id, Limits(messages=4))
    assert spoken(context) == ["question 99", "answer 99", "last", "a Swift", FORGOTTEN]
    assert context.cut
    whole = await service.context(asha, chat.id, Limits())
    assert (len(whole.entries), whole.cut) == (202, False)


async def stored(database: Database, *rows: ChatSummary) -> None:
    async with database.unit_of_work() as session:
        session.add_all(rows)


@pytest.mark.anyio
async def test_a_summary_stands_for_what_it_covers_however_far_back_it_is(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    said = await say(service, asha, chat, user("one"), answer("1"), user("two"), answer("2"))
    await stored(database, summary("the first turn", until=said[1]))
    whole = await service.context(asha, chat.id, Limits())
    assert (spoken(whole), whole.cut) == (["the first turn", "two", "2"], False)
    await say(service, asha, chat, *(user(f"q{number}") for number in range(70)), user("last"))
    cut = await service.context(asha, chat.id, Limits(messages=3))
    assert (spoken(cut), cut.cut) == (["the first turn", "q69", "last"], True)
    assert len(await service.history(asha, chat.id)) == 75


@pytest.mark.anyio
async def test_a_summary_counts_only_where_what_it_covers_was_said(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    said = await say(service, asha, chat, user("one"), answer("1"), user("two"), answer("2"))
    await stored(database, summary("first", until=said[1]), summary("both", until=said[3]))
    await say(service, asha, chat, user("three"))
    assert spoken(await service.context(asha, chat.id, Limits())) == ["both", "three"]
    other = await service.branch_from(asha, chat.id, said[2].id, text="zwei")
    assert spoken(await service.context(asha, chat.id, Limits())) == ["first", "zwei"]
    in_force = await service.summary(asha, chat.id)
    assert in_force is not None
    assert in_force.text == "first"
    await service.branch_from(asha, chat.id, said[0].id, text="eins")
    assert spoken(await service.context(asha, chat.id, Limits())) == ["eins"]
    assert await service.summary(asha, chat.id) is None
    await service.switch_branch(asha, chat.id, other.id)
    assert spoken(await service.context(asha, chat.id, Limits())) == ["first", "zwei"]


@pytest.mark.anyio
async def test_a_summary_never_takes_the_place_of_the_turn_that_is_answered(
    service: SessionService, database: Database, asha: Principal
) -> None:
    chat = await service.create(asha)
    [first, second] = await say(service, asha, chat, user("one"), user("two"))
    await stored(database, summary("first", until=first), summary("second", until=second))
    assert spoken(await service.context(asha, chat.id, Limits())) == ["first", "two"]
    again = await service.context(asha, chat.id, Limits(), head_id=first.id)
    assert spoken(again) == ["one"]


@pytest.mark.anyio
async def test_a_context_follows_one_branch(service: SessionService, asha: Principal) -> None:
    chat = await service.create(asha)
    asked, first = await say(service, asha, chat, user("Pune"), answer("five"))
    await service.branch_from(asha, chat.id, asked.id, text="Mumbai")
    assert spoken(await service.context(asha, chat.id, Limits())) == ["Mumbai"]
    other = await service.context(asha, chat.id, Limits(), head_id=first.id)
    assert spoken(other) == ["Pune", "five"]


@pytest.mark.anyio
async def test_another_sessions_results_are_never_recalled(
    service: SessionService, database: Database, asha: Principal, stranger: Principal
) -> None:
    theirs, chat = await service.create(stranger), await service.create(asha)
    row = execution(theirs)
    async with database.unit_of_work() as session:
        session.add(row)
    reference = result("c1", text=None, execution_id=row.id)
    await say(service, asha, chat, user("hi"), answer(call("c1"), reference))
    assert spoken(await service.context(asha, chat.id, Limits())) == ["hi", FORGOTTEN]
