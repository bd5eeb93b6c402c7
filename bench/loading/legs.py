"""The legs: the steady scenario and the climb, on one setting after the other."""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.loading.locusts import Answered, run_locust
from bench.loading.scraping import scrape
from bench.loading.stage import Setting, Stage, staged
from bench.loading.verdicts import Climbed, Verdict, is_in_time, judge, judge_crowd
from bench.machine import cpu_seconds, machine_busy_seconds, process_tree, resident_mb

PER_MINUTE = 1000
CROWD, CROWD_PER_MINUTE = 250, 2500
RUNGS = (50, 75, 110, 150, 200, 260, 340, 440, 570, 740)
"""Requests a second, up to the first that is not answered in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How long each part takes, in seconds."""

    folder: Path
    steady_seconds: int
    rung_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """What one setting gave."""

    setting: Setting
    steady: Answered
    crowd: Answered
    climbed: Climbed
    verdicts: Sequence[Verdict]
    cpu: Mapping[str, float]
    foreign_cpus: float
    memory_mb: float


def run_leg(setting: Setting, plan: Plan) -> Leg:
    """Start everything, warm it up, measure, and end it."""
    folder = plan.folder / f"load-{setting.key}"
    shutil.rmtree(folder, ignore_errors=True)
    with staged(setting, folder) as stage:
        _say(f"{setting.title}: warming up")
        run_locust(stage, folder, per_minute=3 * PER_MINUTE, seconds=5, name="warm")
        _say(f"{setting.title}: {PER_MINUTE:,} requests a minute for {plan.steady_seconds} s")
        before, meter = scrape(stage.servers), Meter(stage)
        steady = run_locust(
            stage, folder, per_minute=PER_MINUTE, seconds=plan.steady_seconds, name="steady"
        )
        cpu, foreign = meter.read()
        told = scrape(stage.servers).since(before)
        _say(f"{setting.title}: {CROWD} users, {CROWD_PER_MINUTE:,} requests a minute")
        crowd = run_locust(
            stage, folder, users=CROWD, per_minute=CROWD_PER_MINUTE,
            seconds=plan.steady_seconds // 2, name="crowd",
        )  # fmt: skip
        climbed = climb(stage, folder, seconds=plan.rung_seconds)
        memory = resident_mb(process.pid for process in stage.processes["servers"])
    return Leg(
        setting=setting,
        steady=steady,
        crowd=crowd,
        climbed=climbed,
        verdicts=[*judge(steady, told, climbed), *judge_crowd(crowd, users=CROWD)],
        cpu=cpu,
        foreign_cpus=foreign,
        memory_mb=memory / len(stage.servers),
    )


def climb(stage: Stage, folder: Path, *, seconds: int) -> Climbed:
    """From rung to rung; one that fails may be the machine's hiccup and is tried once more."""
    best: Answered | None = None
    for rung in RUNGS:
        for attempt in (1, 2):
            name = f"{rung}-{attempt}"
            answered = run_locust(stage, folder, per_minute=60 * rung, seconds=seconds, name=name)
            kept_up = answered.rate >= 0.9 * rung
            _say(
                f"  {rung} req/s asked: {answered.rate:.0f} answered, "
                f"P95 {answered.percentile(0.95):.0f} ms, {answered.failures} failed"
            )
            if kept_up and is_in_time(answered):
                best = answered
                break
        else:
            return Climbed(best, answered)
    return Climbed(best, None)


class Meter:
    """CPUs that each part of the stage uses, and that others use, from now on."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._at = self._now()
        self._busy, self._began = machine_busy_seconds(), time.monotonic()

    def _now(self) -> dict[str, float]:
        spent = {
            part: cpu_seconds(process_tree(*(process.pid for process in processes)))
            for part, processes in self._stage.processes.items()
            if processes
        }
        if self._stage.backing.database:
            spent["database"] = self._stage.backing.cpu_seconds()
        return spent

    def read(self) -> tuple[dict[str, float], float]:
        """CPUs by part; what is left of the machine's work is Locust's and of others."""
        wall = time.monotonic() - self._began
        now = self._now()
        parts = {part: (now[part] - spent) / wall for part, spent in self._at.items()}
        busy = (machine_busy_seconds() - self._busy) / wall
        return parts, max(0.0, busy - sum(parts.values()))


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
