"""How things outside last answered: when, how quickly, and what went wrong the last time.

Noted in memory where it is counted anyway, for people who look; every process knows its own.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["upstream", "model", "audit", "check"]
LONGEST: Final = 300


@dataclass(slots=True)
class Sighting:
    """The last answer and the last trouble; times in seconds of the epoch."""

    seconds: float | None = None
    answered_at: float | None = None
    error: str | None = None
    failed_at: float | None = None

    @property
    def is_failing(self) -> bool:
        """Whether the last thing heard of it was a failure."""
        return self.failed_at is not None and self.failed_at >= (self.answered_at or 0.0)


class Sightings:
    """The last sighting of each name; names are bounded like the labels of metrics."""

    def __init__(self) -> None:
        self._seen: dict[tuple[Kind, str], Sighting] = {}

    def answered(self, kind: Kind, name: str, *, seconds: float) -> None:
        """It did what was asked."""
        sighting = self._of(kind, name)
        sighting.seconds, sighting.answered_at = seconds, time.time()

    def failed(self, kind: Kind, name: str, error: str) -> None:
        """It did not."""
        sighting = self._of(kind, name)
        sighting.error, sighting.failed_at = error[:LONGEST], time.time()

    def of(self, kind: Kind) -> Mapping[str, Sighting]:
        """Everything seen of a kind, by name."""
        return {name: found for (seen, name), found in self._seen.items() if seen == kind}

    def _of(self, kind: Kind, name: str) -> Sighting:
        return self._seen.setdefault((kind, name), Sighting())
