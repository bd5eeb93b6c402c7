"""What a model is shown of a conversation: the newest whole turns that fit. Pure.

A turn begins with a message of the user's. Cuts fall only between turns, and every tool call is
followed by its result: calls cut off by an interruption get one that says so.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from msil_mcp.chat.models import Role
from msil_mcp.chat.parts import (
    ApprovalPart,
    Part,
    Parts,
    SummaryPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    encode_parts,
    summarised_until,
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
    """A message as the model reads it."""

    id: str
    role: Role
    parts: Parts


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


def fit(
    entries: Sequence[Entry],
    *,
    limits: Limits,
    count: Count = approximate_tokens,
    more: bool = False,
) -> Context:
    """The newest turns of a branch, oldest first, that stay within the limits, made whole.

    The newest summary on the branch comes first, and what it stands for is left out. `more` says
    that older entries exist which could not fit.
    """
    summary, rest = _summarised(entries)
    turns = turns_of(paired(rest))
    head = () if summary is None else (summary,)
    tokens = sum(cost_of(entry, count) for entry in head)
    messages = len(head)
    kept: list[tuple[Entry, ...]] = []
    over = False
    for turn in reversed(turns):
        size, length = sum(cost_of(entry, count) for entry in turn), len(turn)
        fits = _within(limits.tokens, tokens + size) and _within(limits.messages, messages + length)
        if not fits and kept:
            break
        over = over or not fits
        kept.append(turn)
        tokens, messages = tokens + size, messages + length
    chosen = tuple(entry for turn in reversed(kept) for entry in turn)
    return Context(
        entries=(*head, *chosen),
        tokens=tokens,
        cut=more or len(kept) < len(turns),
        over_budget=over,
    )


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


def _summarised(entries: Sequence[Entry]) -> tuple[Entry | None, list[Entry]]:
    """The newest summary, and the entries it does not stand for."""
    summaries = [entry for entry in entries if entry.role == "summary"]
    rest = [entry for entry in entries if entry.role != "summary"]
    if not summaries:
        return None, rest
    newest = summaries[-1]
    until = summarised_until(newest.parts)
    covered = next((i for i, entry in enumerate(rest) if entry.id == until), -1)
    return newest, rest[covered + 1 :]


def _within(limit: int | None, value: int) -> bool:
    return limit is None or value <= limit


def _read(part: Part) -> str:
    return part.text if isinstance(part, TextPart | SummaryPart) else encode_parts((part,))
