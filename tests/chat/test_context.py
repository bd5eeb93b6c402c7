"""What a model is shown: whole turns that fit, and never a call without its result."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chat.conversations import answer, call, execution, result, say, summary, user
from msil_mcp.chat.context import INTERRUPTED, Context, Entry, Limits, cost_of, fit, turns_of
from msil_mcp.chat.executions import FORGOTTEN
from msil_mcp.chat.messages import Draft
from msil_mcp.chat.parts import ApprovalPart, Part, SummaryPart, TextPart, ToolCallPart
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database
from msil_mcp.principal import Principal

WORDS = st.text("ab \n\x00कख✓", max_size=40)
CALL_IDS = st.sampled_from([f"c{number}" for number in range(6)])
PARTS = st.one_of(
    WORDS.map(TextPart),
    CALL_IDS.map(call),
    CALL_IDS.map(result),
    CALL_IDS.map(lambda call_id: ApprovalPart(call_id=call_id, approval_id="a1")),
)
ROLES = st.sampled_from(["user", "assistant", "assistant", "system"])


@st.composite
def histories(draw: st.DrawFn) -> list[Entry]:
    """Anything a crash, an interruption or a careless writer may have left behind."""
    entries = []
    for number in range(draw(st.integers(0, 14))):
        role = draw(ROLES)
        parts: Sequence[Part]
        if number > 1 and draw(st.integers(0, 5)) == 0:
            until = f"m{draw(st.integers(0, number - 1))}"
            role, parts = "summary", (SummaryPart(text="so far", until=until),)
        elif role == "assistant":
            parts = draw(st.lists(PARTS, max_size=6))
        else:
            parts = (TextPart(draw(WORDS)),)
        entries.append(Entry(f"m{number}", role, tuple(parts)))
    return entries


LIMITS = st.builds(
    Limits,
    tokens=st.none() | st.integers(0, 120),
    messages=st.none() | st.integers(0, 10),
)

PATIENTLY = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def count(text: str) -> int:
    return len(text)


@PATIENTLY
@given(histories(), LIMITS)
def test_every_call_is_followed_by_its_one_result(history: list[Entry], limits: Limits) -> None:
    for entry in fit(history, limits=limits, count=count).entries:
        waiting: list[str] = []
        answered: list[str] = []
        for part in entry.parts:
            if part.type == "tool_call":
                assert answered == []
                waiting.append(part.call_id)
            elif part.type == "tool_result":
                answered.append(part.call_id)
                if answered == waiting:
                    waiting, answered = [], []
            else:
                assert waiting == [], "something stands between a call and its result"
        assert waiting == []
        assert answered == []


@PATIENTLY
@given(histories(), LIMITS)
def test_a_call_appears_once_and_no_approval_does(history: list[Entry], limits: Limits) -> None:
    shown = [p for entry in fit(history, limits=limits, count=count).entries for p in entry.parts]
    calls = [part.call_id for part in shown if isinstance(part, ToolCallPart)]
    assert len(calls) == len(set(calls))
    assert not any(isinstance(part, ApprovalPart) for part in shown)


@PATIENTLY
@given(histories(), LIMITS)
def test_the_limits_hold_unless_the_newest_turn_alone_breaks_them(
    history: list[Entry], limits: Limits
) -> None:
    context = fit(history, limits=limits, count=count)
    tokens = sum(cost_of(entry, count) for entry in context.entries)
    assert context.tokens == tokens
    within = (limits.tokens is None or tokens <= limits.tokens) and (
        limits.messages is None or len(context.entries) <= limits.messages
    )
    rest = [entry for entry in context.entries if entry.role != "summary"]
    assert within or len(turns_of(rest)) <= 1
    assert context.over_budget == (not within and bool(rest))


@PATIENTLY
@given(histories(), LIMITS)
def test_cuts_fall_between_turns_and_what_is_kept_is_the_newest(
    history: list[Entry], limits: Limits
) -> None:
    whole = fit(history, limits=Limits(), count=count)
    context = fit(history, limits=limits, count=count)
    everything = [entry for entry in whole.entries if entry.role != "summary"]
    kept = [entry for entry in context.entries if entry.role != "summary"]
    assert kept == everything[len(everything) - len(kept) :]
    assert context.cut == (len(kept) < len(everything))
    if context.cut:
        assert kept[0].role == "user"


@PATIENTLY
@given(histories())
def test_nothing_said_is_lost_without_limits(history: list[Entry]) -> None:
    if any(entry.role == "summary" for entry in history):
        return
    kept = fit(history, limits=Limits(), count=count)

    def said(entries: Sequence[Entry]) -> list[str]:
        return [p.text for entry in entries for p in entry.parts if isinstance(p, TextPart)]

    assert said(kept.entries) == said(history)


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


@pytest.mark.anyio
async def test_a_summary_stands_for_what_it_covers_however_far_back_it_is(
    service: SessionService, asha: Principal
) -> None:
    chat = await service.create(asha)
    said = await say(service, asha, chat, user("one"), answer("1"), user("two"), answer("2"))
    await say(service, asha, chat, summary("the first turn", until=said[1].id))
    whole = await service.context(asha, chat.id, Limits())
    assert spoken(whole) == ["the first turn", "two", "2"]
    later = [user("three"), answer("3"), user("four"), answer("4")]
    await say(service, asha, chat, *later)
    cut = await service.context(asha, chat.id, Limits(messages=3))
    assert spoken(cut) == ["the first turn", "four", "4"]
    assert cut.cut
    assert len(await service.history(asha, chat.id)) == 9


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
