"""Counts of calls that can be added up: over five minutes, an hour, a day or any range. Pure."""

import zlib
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec

SLOT_SECONDS: Final = 300
"""How finely the summary of an hour keeps the course of things."""

Key = TypeVar("Key")


class Tally(msgspec.Struct, array_like=True):
    """How many calls ended how, and how long those that ran took, by bin."""

    outcomes: dict[str, int] = msgspec.field(default_factory=dict)
    times: dict[int, int] = msgspec.field(default_factory=dict)

    def count(self, outcome: str, calls: int, *, time_bin: int | None) -> None:
        """Add calls that ended alike; `time_bin` where they took time."""
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + calls
        if time_bin is not None:
            self.times[time_bin] = self.times.get(time_bin, 0) + calls

    def add(self, other: "Tally") -> None:
        """Add what another tally counted."""
        add_counts(self.outcomes, other.outcomes)
        add_counts(self.times, other.times)

    @property
    def calls(self) -> int:
        """All of them."""
        return sum(self.outcomes.values())


class Summary(msgspec.Struct, array_like=True):
    """Everything counted in a stretch of time.

    `slots` are by their beginning in seconds of the epoch, `troubles` by tool and then by
    `outcome|rule|error`.
    """

    slots: dict[int, Tally] = msgspec.field(default_factory=dict)
    tools: dict[str, Tally] = msgspec.field(default_factory=dict)
    callers: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    origins: dict[str, int] = msgspec.field(default_factory=dict)
    troubles: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)

    def add(self, other: "Summary", *, slot_seconds: int) -> None:
        """Add another stretch, its slots made as wide as wanted."""
        for start, tally in other.slots.items():
            self.slot(start - start % slot_seconds).add(tally)
        for tool, tally in other.tools.items():
            self.tool(tool).add(tally)
        for caller, outcomes in other.callers.items():
            add_counts(self.callers.setdefault(caller, {}), outcomes)
        add_counts(self.origins, other.origins)
        for tool, troubles in other.troubles.items():
            add_counts(self.troubles.setdefault(tool, {}), troubles)

    def slot(self, start: int) -> Tally:
        """What began in a slot."""
        return self.slots.setdefault(start, Tally())

    def tool(self, name: str) -> Tally:
        """What a tool was asked."""
        return self.tools.setdefault(name, Tally())


def add_counts(counts: dict[Key, int], more: Mapping[Key, int]) -> None:
    """Add counts by key."""
    for key, count in more.items():
        counts[key] = counts.get(key, 0) + count


def total(tallies: Iterable[Tally]) -> Tally:
    """All of them as one."""
    summed = Tally()
    for tally in tallies:
        summed.add(tally)
    return summed


def trouble_key(outcome: str, rule: str | None, error: str | None) -> str:
    """What went wrong, as summaries name it."""
    return f"{outcome}|{rule or ''}|{error or ''}"


def packed(summary: Summary) -> bytes:
    """A summary as it is stored."""
    return zlib.compress(msgspec.msgpack.encode(summary), 1)


def unpacked(stored: bytes) -> Summary:
    """A summary as it was stored."""
    return msgspec.msgpack.decode(zlib.decompress(stored), type=Summary)
