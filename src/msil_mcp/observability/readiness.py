"""Whether this process should receive requests, by asking what it depends on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from msil_mcp.observability.sightings import Sightings

log = structlog.get_logger()

CheckResult = Literal["healthy", "unhealthy", "disabled"]
Check = Callable[[], Awaitable[CheckResult]]

CHECK_SECONDS: Final = 2.0
FRESH_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class ReadinessReport:
    """What every check answered, and what follows from it."""

    ready: bool
    checks: Mapping[str, CheckResult]


class Unhealthy(Exception):
    """Raised by a check that can say why its dependency is not healthy."""


class Readiness:
    """The registered checks; `draining` makes the answer no while the process finishes its work.

    Checks run together, each for at most two seconds, and their answers hold for half a second,
    however many probes ask.
    """

    def __init__(self) -> None:
        self.draining = False
        self._checks: dict[str, Check] = {}
        self._optional: set[str] = set()
        self._answers: Mapping[str, CheckResult] = {}
        self._answered_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self.sightings = Sightings()

    def register(self, name: str, check: Check, *, required: bool = True) -> None:
        """Ask `check` under this name; one that is not required is reported and changes nothing."""
        self._checks[name] = check
        if not required:
            self._optional.add(name)

    def leave(self) -> None:
        """From now on, say no: this process wants no more requests."""
        if not self.draining:
            log.info("server_leaving")
        self.draining = True

    def up(self) -> Mapping[str, float]:
        """1 for each dependency that was healthy when last asked, 0 for every other one in use."""
        return {
            name: float(answer == "healthy")
            for name, answer in self._answers.items()
            if answer != "disabled"
        }

    async def report(self) -> ReadinessReport:
        """The present answer; waits at most two seconds."""
        if time.monotonic() - self._answered_at > FRESH_SECONDS:
            if self._asking is None or self._asking.done():
                self._asking = asyncio.create_task(self._ask())
            # A probe that gives up must not cancel the asking for the others.
            await asyncio.shield(self._asking)
        failing = {
            name
            for name, answer in self._answers.items()
            if answer == "unhealthy" and name not in self._optional
        }
        return ReadinessReport(ready=not failing and not self.draining, checks=self._answers)

    async def _ask(self) -> None:
        names = list(self._checks)
        results = await asyncio.gather(*(self._answer(name) for name in names))
        answers = dict(zip(names, results, strict=True))
        for name, answer in answers.items():
            before = self._answers.get(name)
            if answer != before and (before is not None or answer == "unhealthy"):
                log.warning("readiness_changed", check=name, before=before, now=answer)
        self._answers = answers
        self._answered_at = time.monotonic()

    def is_required(self, name: str) -> bool:
        """Whether the process is not ready while this one is unhealthy."""
        return name not in self._optional

    async def _answer(self, name: str) -> CheckResult:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                answer = await self._checks[name]()
        except TimeoutError:
            answer, reason = "unhealthy", f"no answer within {CHECK_SECONDS:g} seconds"
        except Unhealthy as error:
            answer, reason = "unhealthy", str(error)
        except Exception as error:  # whatever keeps it from answering, it is not healthy
            log.exception("readiness_check_failed", check=name)
            answer, reason = "unhealthy", type(error).__name__
        else:
            reason = "it says that it is not healthy"
        if answer == "healthy":
            self.sightings.answered("check", name, seconds=time.perf_counter() - started)
        elif answer == "unhealthy":
            self.sightings.failed("check", name, reason)
        return answer
