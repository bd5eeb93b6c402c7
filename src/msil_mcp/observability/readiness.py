"""Whether this process should receive requests, by asking what it depends on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

import structlog

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

    def register(self, name: str, check: Check, *, required: bool = True) -> None:
        """Ask `check` under this name; one that is not required is reported and changes nothing."""
        self._checks[name] = check
        if not required:
            self._optional.add(name)

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

    async def _answer(self, name: str) -> CheckResult:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await self._checks[name]()
        except TimeoutError:
            return "unhealthy"
        except Exception:  # whatever keeps a dependency from answering, it is not healthy
            log.exception("readiness_check_failed", check=name)
            return "unhealthy"
