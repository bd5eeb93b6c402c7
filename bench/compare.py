"""One run: every contender, both sizes, both eras, in interleaved legs."""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path

from bench.client import ERAS
from bench.contenders import Contender
from bench.document import write_document
from bench.load import LoadGenerator
from bench.machine import cpu_sets
from bench.peer_environment import peer_python
from bench.preparing import prepared
from bench.processes import NotMeasured
from bench.running import Leg, Running, StartUp, start
from bench.upstream import Upstream, find_program

CONNECTIONS = 16
# The list does not depend on the era, and the modern one needs no session.
LIST_ERA = "modern"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to measure, and for how long."""

    contenders: Sequence[Contender]
    tools: Sequence[int]
    seconds: float
    repeat: int
    starts: int
    folder: Path


@dataclass(slots=True)
class Standing:
    """What is known of one contender at one size beside its legs."""

    contender: str
    tools: int
    start_up: StartUp
    idle_mb: float
    after_mb: float = 0.0
    refuses_bad_input: bool = False


@dataclass(slots=True)
class Results:
    """Everything measured, and what was not, with the reason."""

    legs: list[Leg] = field(default_factory=list)
    standings: list[Standing] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def compare(plan: Plan) -> Results:
    """Measure everything in the plan; a contender that fails is named and left out."""
    find_program("wrk", package="wrk")
    work = plan.folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    results = Results()
    server_cpus, other_cpus = cpu_sets()
    python = _peer_python(plan, results)
    upstream = Upstream(work, cpus=other_cpus)
    try:
        generator = LoadGenerator(work, other_cpus)
        for tools in plan.tools:
            document = write_document(work, operations=tools, base_url=upstream.base_url)
            with ExitStack() as stack:
                contest = _Field(plan, results, tools=tools)
                for contender in plan.contenders:
                    name = f"{contender.key}-{tools}"
                    tell(f"{tools} tools: starting {contender.key}")
                    try:
                        service, backing = stack.enter_context(
                            prepared(
                                contender, document=document, folder=work / name, python=python
                            )
                        )
                        running = start(
                            contender, service, backing, tools=tools, upstream=upstream,
                            generator=generator, log=work / f"{name}.log", cpus=server_cpus,
                            times=plan.starts if contender.key == "ours" else 1,
                        )  # fmt: skip
                    except NotMeasured as error:
                        results.missing.append(f"{contender.key}, {tools} tools: {error}")
                        continue
                    stack.callback(running.process.stop)
                    contest.enter(running)
                contest.run()
    finally:
        upstream.stop()
    return results


def _peer_python(plan: Plan, results: Results) -> Path | None:
    if all(contender.is_ours for contender in plan.contenders):
        return None
    try:
        return peer_python(plan.folder)
    except NotMeasured as error:
        results.missing.append(str(error))
        return None


class _Field:
    """The contenders started at one size, and the legs run on them in turns."""

    def __init__(self, plan: Plan, results: Results, *, tools: int) -> None:
        self._plan = plan
        self._results = results
        self._tools = tools
        self._started: list[Running] = []
        self._standings: dict[str, Standing] = {}

    def enter(self, running: Running) -> None:
        """Take part in every round."""
        key = running.contender.key
        self._started.append(running)
        self._standings[key] = Standing(key, self._tools, running.start_up, running.idle_mb)
        self._results.standings.append(self._standings[key])

    def run(self) -> None:
        """Warm up, then one leg of each kind on each contender, round after round."""
        for running in self._started:
            for era in ERAS:
                with self._noting(running, f"{era} warm-up"):
                    self._standings[running.contender.key].refuses_bad_input = running.warm_up(
                        era, seconds=max(1.0, self._plan.seconds / 3), connections=CONNECTIONS
                    )
        for turn in range(self._plan.repeat):
            # Each round begins with another one, so that nobody always follows the same.
            first = turn % max(1, len(self._started))
            self._round(self._started[first:] + self._started[:first])
        for running in self._started:
            self._standings[running.contender.key].after_mb = running.resident_mb()

    def _round(self, order: Sequence[Running]) -> None:
        for era in ERAS:
            for running in order:
                with self._noting(running, f"{era} calls"):
                    self._keep(
                        running.call_leg(era, seconds=self._plan.seconds, connections=CONNECTIONS)
                    )
        for running in order:
            with self._noting(running, "list"):
                self._keep(running.list_leg(LIST_ERA, seconds=1))

    def _keep(self, leg: Leg) -> None:
        self._results.legs.append(leg)
        tell(f"{leg.tools} tools: {leg.contender} {leg.era} {leg.kind}: {leg.cpu_us:.0f} µs CPU")

    @contextmanager
    def _noting(self, running: Running, what: str) -> Iterator[None]:
        try:
            yield
        except (NotMeasured, OSError, HTTPException) as error:
            self._results.missing.append(
                f"{running.contender.key}, {self._tools} tools, {what}: {error}"
            )


def tell(line: str) -> None:
    """Progress, on stderr."""
    print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)
