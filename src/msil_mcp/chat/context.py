"""What a model is shown of a conversation: the newest whole turns that fit. Pure.

A turn begins with a message of the user's. Cuts fall only between turns, and every tool call is
followed by its result: calls cut off by an interruption get one that says so.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from msil_mcp.chat.models import Role
from msil_mcp.chat.parts import (
    ApprovalPart,
    Part,
    Parts,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    encode_parts,
)

Count = Callable[[str], int]

OVERHEAD: Final = 4
"""Tokens a message costs beside its content."""
INTERRUPTED: Final = (
    "The conversation was interrupted before this call ended, so it is not known whether it took "
    "effect. Check that with a tool that reads before calling it again."
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A message as the model reads it.

    A summary stands for every message of the branch up to and including the one of its id.
    """

    id: str
    role: Role | Literal["summary"]
    parts: Parts


Shorten = Callable[[Entry], Entry]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much fits; None is no limit. The newest turn is kept whatever its size."""

    tokens: int | None = None
    messages: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Entries for the model, the oldest first; `cut` when older turns were left out.

    `over_budget` when the newest turn alone does not fit.
    """

    entries: tuple[Entry, ...]
    tokens: int
    cut: bool
    over_budget: bool


def approximate_tokens(text: str) -> int:
    """About what OpenAI's encodings count, never much less: a token for four bytes of UTF-8."""
    return math.ceil(len(text.encode()) / 4)


def cost_of(entry: Entry, count: Count) -> int:
    """Tokens of one entry, its share of the wire included."""
    return OVERHEAD + sum(count(_read(part)) for part in entry.parts)


def unchanged(entry: Entry) -> Entry:
    """Shortens nothing."""
    return entry


def fit(
    entries: Sequence[Entry],
    *,
    limits: Limits,
    count: Count = approximate_tokens,
    summary: Entry | None = None,
    short: Shorten = unchanged,
    more: bool = False,
) -> Context:
    """The newest turns of a branch, oldest first, that stay within the limits, made whole.

    The newest turn is shown as it is, the one before it as well where that fits, older ones
    shortened. `summary` stands for what came before the entries and goes first; it is left out
    only where it alone would break the limits. `more` says that there are messages which are
    neither here nor in the summary.
    """
    *older, newest = turns_of(paired(entries)) or [()]
    room = Room(limits, count)
    over = not room.takes(newest, anyhow=True)
    head = () if summary is None else (summary,)
    if not room.takes(head, anyhow=over) and not over:
        head = ()
    kept = [newest]
    for age, turn in enumerate(reversed(older), start=1):
        short_turn = tuple(map(short, turn))
        forms = (turn, short_turn) if age == 1 else (short_turn,)
        shown = next((form for form in forms if room.takes(form)), None)
        if shown is None:
            break
        kept.append(shown)
    return Context(
        entries=(*head, *(entry for turn in reversed(kept) for entry in turn)),
        tokens=room.tokens,
        cut=more or len(kept) <= len(older) or (summary is not None and not head),
        over_budget=over,
    )


@dataclass(slots=True)
class Room:
    """How much of the limits is taken."""

    limits: Limits
    count: Count
    tokens: int = 0
    messages: int = 0

    def takes(self, entries: Sequence[Entry], *, anyhow: bool = False) -> bool:
        """Whether they fit beside what is there; then, or anyhow, they are there too."""
        tokens = self.tokens + sum(cost_of(entry, self.count) for entry in entries)
        messages = self.messages + len(entries)
        fits = _within(self.limits.tokens, tokens) and _within(self.limits.messages, messages)
        if fits or anyhow:
            self.tokens, self.messages = tokens, messages
        return fits


def turns_of(entries: Sequence[Entry]) -> list[tuple[Entry, ...]]:
    """Entries from one message of the user's to before the next; a greeting is a turn by itself."""
    turns: list[list[Entry]] = []
    for entry in entries:
        if entry.role == "user" or not turns:
            turns.append([])
        turns[-1].append(entry)
    return [tuple(turn) for turn in turns]


def paired(entries: Sequence[Entry]) -> list[Entry]:
    """Every call followed by its one result, in the same entry; entries left empty are dropped."""
    results: dict[str, ToolResultPart] = {}
    for part in (part for entry in entries for part in entry.parts):
        if isinstance(part, ToolResultPart):
            results.setdefault(part.call_id, part)
    seen: set[str] = set()
    whole = (
        replace(entry, parts=tuple(_paired_parts(entry.parts, results, seen))) for entry in entries
    )
    return [entry for entry in whole if entry.parts]


def _paired_parts(
    parts: Parts, results: Mapping[str, ToolResultPart], seen: set[str]
) -> Iterator[Part]:
    calls: list[ToolCallPart] = []
    for part in parts:
        if isinstance(part, ToolCallPart):
            if part.call_id not in seen:
                seen.add(part.call_id)
                calls.append(part)
                yield part
        elif not isinstance(part, ApprovalPart):
            yield from _answers(calls, results)
            calls = []
            if not isinstance(part, ToolResultPart):
                yield part
    yield from _answers(calls, results)


def _answers(
    calls: Sequence[ToolCallPart], results: Mapping[str, ToolResultPart]
) -> Iterator[ToolResultPart]:
    for call in calls:
        found = results.get(call.call_id)
        yield found or ToolResultPart(
            call_id=call.call_id, tool=call.tool, outcome="unknown", text=INTERRUPTED
        )


def _within(limit: int | None, value: int) -> bool:
    return limit is None or value <= limit


def _read(part: Part) -> str:
    return part.text if isinstance(part, TextPart) else encode_parts((part,))
