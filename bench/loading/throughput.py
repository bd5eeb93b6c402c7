"""How many calls a second two replicas answer: wrk before nginx, nginx behind as the upstream.

Every rule is on and every answer is looked at; the upstream answers from memory, so that what is
measured is this product, its database and Redis, and not the reference upstream.
"""

import json
import shutil
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.client import Client, check_call, measured_tool
from bench.contenders import our_environment
from bench.databases import postgresql
from bench.document import write_document
from bench.load import LoadGenerator, Outcome
from bench.loading.scraping import scrape
from bench.loading.stage import command, serve
from bench.machine import cpu_seconds, machine_busy_seconds, process_tree
from bench.processes import NotMeasured
from bench.upstream import Upstream

REPLICAS = 2
CONNECTIONS = 32
PER_SECOND = 1000.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """Medians over the legs; `by_replica` is how many calls each answered, in all."""

    rate: float
    p50_ms: float
    p99_ms: float
    wrong: int
    legs: Sequence[float]
    by_replica: Sequence[int]
    foreign_cpus: float
    cpu_us: float
    """CPU of one call: servers, nginx on both sides, database, Redis and wrk together."""

    @property
    def holds(self) -> bool:
        """Whether it is what is promised, without one wrong answer."""
        return self.rate >= PER_SECOND and not self.wrong and min(self.by_replica) > 0


def measure_throughput(folder: Path, *, seconds: int, legs: int) -> Throughput:
    """Start two replicas behind nginx and call a tool over and over."""
    work = folder / "load-throughput"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with ExitStack() as stack:
        upstream = Upstream(work, cpus=None)
        stack.callback(upstream.stop)
        document = write_document(work, operations=6, base_url=upstream.base_url)
        backing = stack.enter_context(postgresql(work / "data"))
        environment = our_environment(backing, port=0) | {"LOG_LEVEL": "warning"}
        command(environment, "migrate")
        command(
            environment, "import", str(document), "--bundle", "bench", "--publish",
            "--allow-private",
        )  # fmt: skip
        made = command(environment, "keys", "create", "bench", "--role", "administrator", "--json")
        (work / "front").mkdir()
        servers, front, url = serve(stack, environment, work / "front", replicas=REPLICAS)
        headers = {"Authorization": f"Bearer {json.loads(made)['token']}"}
        client = Client(f"{url}/mcp", "modern", headers)
        tool = measured_tool(client.list_tools()[0])
        generator = LoadGenerator(work, cpus=None)
        generator.call(client, tool, seconds=3, connections=CONNECTIONS)
        served = upstream.served()
        counted = [_calls(address) for _, address in servers]
        pids = [process.pid for process, _ in servers]
        ours = process_tree(*pids, upstream.server.pid, *(process.pid for process in front))
        before, spent = machine_busy_seconds(), cpu_seconds(ours) + backing.cpu_seconds()
        began = time.monotonic()
        outcomes = []
        for _ in range(legs):
            outcomes.append(generator.call(client, tool, seconds=seconds, connections=CONNECTIONS))
            check_call(client.call(tool, 4), 4)
        used = cpu_seconds(ours) + backing.cpu_seconds() - spent
        used += sum(outcome.cpu_seconds for outcome in outcomes)
        foreign = (machine_busy_seconds() - before - used) / (time.monotonic() - began)
        _check(upstream.served() - served, outcomes)
        by_replica = [
            _calls(address) - was for (_, address), was in zip(servers, counted, strict=True)
        ]
    return _medians(outcomes, by_replica=by_replica, foreign=foreign, used=used)


def _calls(server: str) -> int:
    return int(scrape([server]).value("mcp_tool_calls_total"))


def _check(served: int, outcomes: Sequence[Outcome]) -> None:
    if served < sum(outcome.answers - outcome.wrong for outcome in outcomes):
        raise NotMeasured("it answered calls that never reached the upstream")


def _medians(
    outcomes: Sequence[Outcome], *, by_replica: Sequence[int], foreign: float, used: float
) -> Throughput:
    rates = [outcome.answers / outcome.seconds for outcome in outcomes]
    return Throughput(
        rate=median(rates),
        p50_ms=median(outcome.p50_ms for outcome in outcomes),
        p99_ms=median(outcome.p99_ms for outcome in outcomes),
        wrong=sum(outcome.wrong + outcome.broken for outcome in outcomes),
        legs=rates,
        by_replica=by_replica,
        foreign_cpus=max(0.0, foreign),
        cpu_us=used / sum(outcome.answers for outcome in outcomes) * 1e6,
    )
