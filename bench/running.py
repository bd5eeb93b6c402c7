"""A started contender: how long it took, what it uses, and one leg of load on it."""

import http.client
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.client import Client, check_call, measured_tool, refuses_bad_input
from bench.contenders import Contender, Service
from bench.databases import Backing
from bench.load import LoadGenerator
from bench.machine import cpu_seconds, machine_busy_seconds, process_tree, resident_mb
from bench.processes import NotMeasured, Started, pinned, plain_environment
from bench.upstream import Upstream

START_PATIENCE = 120.0
# A call that takes longer alone is measured alone: sixteen at once would only queue.
SLOW_SECONDS = 0.25
SLOW_CALLS = 2


@dataclass(frozen=True, slots=True)
class StartUp:
    """Seconds from the process's start to its first tools/list, and to the end of its imports.

    The same in CPU seconds, which other work on the machine hardly changes.
    """

    total: float
    imports: float
    total_cpu: float
    imports_cpu: float

    @property
    def after(self) -> float:
        """From the end of the imports to the first answer."""
        return self.total - self.imports

    @property
    def after_cpu(self) -> float:
        """CPU from the end of the imports to the first answer."""
        return self.total_cpu - self.imports_cpu


@dataclass(frozen=True, slots=True)
class Leg:
    """One measurement; `cpu_us` is the server's CPU time for one answer, in microseconds."""

    contender: str
    tools: int
    era: str
    kind: str
    answers: int
    rps: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    wrong: int
    broken: int
    bytes: int
    alone: bool
    database_cpu_us: float
    load_cpu_us: float
    foreign_cores: float
    sample: str


@dataclass
class Running:
    """A server that answers, pinned to its CPU."""

    contender: Contender
    service: Service
    backing: Backing
    process: Started
    start_up: StartUp
    tools: int
    idle_mb: float
    upstream: Upstream
    generator: LoadGenerator
    tool: str = ""

    def client(self, era: str, *, listing: bool = False) -> Client:
        """A client of that era with whatever it needs to begin."""
        url = self.service.list_url if listing else self.service.url
        return Client(url, era, self.service.headers).open()

    def resident_mb(self) -> float:
        """Memory of the process tree now."""
        return resident_mb(process_tree(self.process.pid))

    def warm_up(self, era: str, *, seconds: float, connections: int) -> bool:
        """Check an answer, load for a while; returns whether bad input is refused."""
        client = self.client(era)
        if not self.tool:
            self.tool = measured_tool(client.list_tools()[0])
        tool = self.tool
        refuses = refuses_bad_input(client, tool)
        if not self._is_slow(client, tool):
            self.generator.call(client, tool, seconds=seconds, connections=connections)
        client.close()
        return refuses

    def call_leg(self, era: str, *, seconds: float, connections: int) -> Leg:
        """Load with calls of the measured tool; the answers before and after are read whole."""
        client, tool = self.client(era), self.tool
        if self._is_slow(client, tool):
            return self._slow_leg(client, era, "call", lambda: self._checked_call(client, tool, 3))
        self._settle()
        served = self.upstream.served()
        before = _Meter(self)
        outcome = self.generator.call(client, tool, seconds=seconds, connections=connections)
        spent = before.spent(outcome.cpu_seconds)
        if self.upstream.served() - served < outcome.answers - outcome.wrong:
            raise NotMeasured("it answered calls that never reached the upstream")
        self._checked_call(client, tool, 4)
        client.close()
        # What is under way when the time is up has cost CPU and gives no answer: half a call each.
        calls = outcome.answers + connections / 2
        return self._leg(
            era, "call", spent, answers=outcome.answers, per=calls, rps=outcome.answers /
            outcome.seconds, p50_ms=outcome.p50_ms, p99_ms=outcome.p99_ms, wrong=outcome.wrong,
            broken=outcome.broken, sample=outcome.sample, load=outcome.cpu_seconds,
        )  # fmt: skip

    def list_leg(self, era: str, *, seconds: float) -> Leg:
        """Load with tools/list on one connection."""
        client = self.client(era, listing=True)
        names, answer = client.list_tools()
        if len(names) != self.tools:
            raise NotMeasured(f"it lists {len(names)} of {self.tools} tools")
        length = len(answer.body)
        if answer.seconds > SLOW_SECONDS:
            return self._slow_leg(
                client, era, "list", lambda: client.list_tools()[1].seconds, length=length
            )
        self._settle()
        before = _Meter(self)
        outcome = self.generator.list(client, length=length, seconds=seconds)
        spent = before.spent(outcome.cpu_seconds)
        client.close()
        return self._leg(
            era, "list", spent, answers=outcome.answers, per=outcome.answers + 0.5,
            rps=outcome.answers / outcome.seconds, p50_ms=outcome.p50_ms, p99_ms=outcome.p99_ms,
            wrong=outcome.wrong, broken=outcome.broken, sample=outcome.sample, length=length,
            load=outcome.cpu_seconds,
        )  # fmt: skip

    def _slow_leg(
        self, client: Client, era: str, kind: str, once: Callable[[], float], *, length: int = 0
    ) -> Leg:
        before = _Meter(self)
        seconds = sorted(once() for _ in range(SLOW_CALLS))
        spent = before.spent(0)
        client.close()
        return self._leg(
            era, kind, spent, answers=SLOW_CALLS, per=SLOW_CALLS, rps=SLOW_CALLS / sum(seconds),
            p50_ms=median(seconds) * 1e3, p99_ms=seconds[-1] * 1e3, wrong=0, broken=0, sample="",
            length=length, alone=True, load=0,
        )  # fmt: skip

    def _leg(
        self, era: str, kind: str, spent: "_Spent", *, answers: int, per: float, rps: float,
        p50_ms: float, p99_ms: float, wrong: int, broken: int, sample: str, load: float,
        length: int = 0, alone: bool = False,
    ) -> Leg:  # fmt: skip
        if not answers:
            raise NotMeasured(f"no answer in the whole leg {sample}")
        return Leg(
            contender=self.contender.key, tools=self.tools, era=era, kind=kind, answers=answers,
            rps=rps, cpu_us=spent.server / per * 1e6, p50_ms=p50_ms, p99_ms=p99_ms, wrong=wrong,
            broken=broken, bytes=length, alone=alone, database_cpu_us=spent.database / per * 1e6,
            load_cpu_us=load / per * 1e6, foreign_cores=spent.foreign_cores, sample=sample,
        )  # fmt: skip

    def _is_slow(self, client: Client, tool: str) -> bool:
        # The first call may build what later ones find ready.
        if self._checked_call(client, tool, 1) < SLOW_SECONDS:
            return False
        return self._checked_call(client, tool, 2) > SLOW_SECONDS

    def _checked_call(self, client: Client, tool: str, number: int) -> float:
        answer = client.call(tool, number)
        check_call(answer, number)
        return answer.seconds

    def _settle(self) -> None:
        """Wait until what the leg before left behind is done."""
        deadline = time.monotonic() + 10
        pids = process_tree(self.process.pid)
        before = cpu_seconds(pids)
        while time.monotonic() < deadline:
            time.sleep(0.2)
            now = cpu_seconds(pids)
            if now - before <= 0.02:
                return
            before = now


@dataclass(frozen=True, slots=True)
class _Spent:
    server: float
    database: float
    foreign_cores: float


class _Meter:
    """CPU of the server, of its database, and of others, from now on."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self._others = process_tree(running.upstream.server.pid)
        self._database = running.backing.cpu_seconds()
        self._at = self._now()

    def _now(self) -> tuple[float, float, float, float]:
        server = cpu_seconds(process_tree(self._running.process.pid))
        return server, cpu_seconds(self._others), machine_busy_seconds(), time.monotonic()

    def spent(self, load_seconds: float) -> _Spent:
        server, upstream, busy, wall = (
            now - before for now, before in zip(self._now(), self._at, strict=True)
        )
        database = self._running.backing.cpu_seconds() - self._database
        foreign = busy - server - upstream - database - load_seconds
        return _Spent(server, database, max(0.0, foreign) / wall)


def start(
    contender: Contender,
    service: Service,
    backing: Backing,
    *,
    tools: int,
    upstream: Upstream,
    generator: LoadGenerator,
    log: Path,
    cpus: set[int] | None,
    times: int,
) -> Running:
    """Start it, several times for a steadier figure; the last one stays."""
    imports = [_import_seconds(service, cpus) for _ in range(max(times, 2))]
    starts: list[tuple[float, float]] = []
    for attempt in range(times):
        process, *seconds = _start_once(service, log=log, cpus=cpus)
        starts.append((seconds[0], seconds[1]))
        if attempt + 1 < times:
            process.stop()
    time.sleep(0.5)
    return Running(
        contender=contender,
        service=service,
        backing=backing,
        process=process,
        start_up=StartUp(
            # Other work on the machine only ever adds to a start, so the shortest is the truest.
            total=min(wall for wall, _ in starts),
            imports=min(wall for wall, _ in imports),
            total_cpu=min(cpu for _, cpu in starts),
            imports_cpu=min(cpu for _, cpu in imports),
        ),
        tools=tools,
        idle_mb=resident_mb(process_tree(process.pid)),
        upstream=upstream,
        generator=generator,
    )


def _start_once(
    service: Service, *, log: Path, cpus: set[int] | None
) -> tuple[Started, float, float]:
    """The process, and the wall and CPU seconds to its first tools/list."""
    began = time.perf_counter()
    process = Started(service.command, log=log, environment=service.environment, cpus=cpus)
    client = Client(service.list_url, "modern", service.headers)
    reason: Exception | None = None
    while time.perf_counter() - began < START_PATIENCE:
        try:
            process.check_alive()
            client.list_tools()
        except (OSError, http.client.HTTPException) as error:
            reason = error
            time.sleep(0.01)
        except NotMeasured as error:
            process.stop()
            raise error from None
        else:
            total = time.perf_counter() - began
            client.close()
            return process, total, cpu_seconds(process_tree(process.pid))
    process.stop()
    raise NotMeasured(f"it lists no tools within {START_PATIENCE:.0f} s: {reason} (see {log})")


def _import_seconds(service: Service, cpus: set[int] | None) -> tuple[float, float]:
    """Wall and CPU seconds from the start of a process to the end of its imports."""
    code = f"{service.imports}; import time; print(time.time(), time.process_time())"
    began = time.time()
    done = subprocess.run(
        [service.python, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=plain_environment(service.environment),
        preexec_fn=pinned(cpus),
    )
    if done.returncode:
        raise NotMeasured(f"its imports fail: {done.stderr.strip().splitlines()[-1][:200]}")
    ended, cpu = map(float, done.stdout.split()[-2:])
    return ended - began, cpu
