"""Which turns of a branch a summary should take the place of. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from msil_mcp.chat.context import (
    Count,
    Entry,
    Limits,
    Room,
    Shorten,
    approximate_tokens,
    fit,
    paired,
    turns_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """In tokens: what a model is shown at most, how much of it starts a summary, and its length."""

    budget: int
    threshold: int
    summary: int

    @property
    def kept(self) -> int:
        """What stays as it is beside a new summary, so that the next one is not due at once."""
        return self.threshold // 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A summary of `read`, and of the one before it, takes the place of all before `kept`.

    `messages` are those it covers beside the earlier summary, the last of them `until_id`; it is
    not `whole` when not all of them could be read.
    """

    read: tuple[Entry, ...]
    until_id: str
    messages: int
    whole: bool
    kept: tuple[Entry, ...]


def plan_summary(
    entries: Sequence[Entry],
    *,
    sizes: Sizes,
    short: Shorten,
    shortest: Shorten,
    summary: Entry | None = None,
    more: bool = False,
    count: Count = approximate_tokens,
) -> Plan | None:
    """All turns but the newest, which is never covered; None where nothing else can be spared.

    What is read of them is shortened, and the newest of it goes first where not everything fits.
    """
    turns = turns_of(paired(entries))
    split = len(turns) - _to_keep(turns, sizes=sizes, short=short, count=count)
    if not split:
        return None
    cut, first_kept = turns[:split], turns[split][0].id
    room = Room(Limits(tokens=sizes.budget), count)
    room.takes(() if summary is None else (summary,), anyhow=True)
    read: list[tuple[Entry, ...]] = []
    for turn in reversed(cut):
        forms = [tuple(map(shorten, turn)) for shorten in (short, shortest)]
        taken = next((form for form in forms if room.takes(form)), None)
        if taken is None and read:
            break
        read.append(taken or forms[-1])
    covered = next(n for n, entry in enumerate(entries) if entry.id == first_kept)
    return Plan(
        read=tuple(entry for turn in reversed(read) for entry in turn),
        until_id=entries[covered - 1].id,
        messages=covered,
        whole=not more and len(read) == len(cut),
        kept=tuple(entries[covered:]),
    )


def _to_keep(
    turns: Sequence[tuple[Entry, ...]], *, sizes: Sizes, short: Shorten, count: Count
) -> int:
    """How many turns stay: those of the kept size, and where it fits the last one before this."""
    newest = fit(
        [entry for turn in turns for entry in turn],
        limits=Limits(tokens=sizes.kept),
        count=count,
        short=short,
    )
    kept = len(turns_of(newest.entries))
    if kept > 1:
        return kept
    two = [entry for turn in turns[-2:] for entry in turn]
    limits = Limits(tokens=sizes.budget - sizes.summary)
    return 1 if fit(two, limits=limits, count=count, short=short).cut else len(turns[-2:])
