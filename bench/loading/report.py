"""What a run of the load legs found, for people and as JSON; and put into the documentation."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from bench.loading.legs import PER_MINUTE, Leg, Plan
from bench.loading.locusts import USERS
from bench.loading.throughput import CONNECTIONS, PER_SECOND, REPLICAS, Throughput
from bench.machine import describe_machine
from bench.processes import NotMeasured

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
BEGIN, END = "<!-- load -->", "<!-- end of load -->"
NOISE = 0.3


def text_of(plan: Plan, legs: Sequence[Leg], throughput: Throughput | None) -> str:
    """Everything that was measured, leg by leg."""
    machine = describe_machine()
    lines = [
        "{processor}, {cpus} CPUs, {memory_gb} GB, Linux {kernel}, Python {python}".format(
            **machine
        ),
        "Locust, the servers and what is behind them share these CPUs.",
    ]
    for leg in legs:
        lines += ["", *_of_leg(leg, plan)]
    if throughput is not None:
        lines += ["", *_of_throughput(throughput)]
    return "\n".join(lines)


def _of_leg(leg: Leg, plan: Plan) -> Iterator[str]:
    steady = leg.steady
    yield leg.setting.title
    yield (
        f"  {USERS} users, {PER_MINUTE:,} requests a minute for {plan.steady_seconds} s "
        f"({steady.requests:,} requests, {steady.rate:.1f} a second)"
    )
    head = ("figure", "allowed", "held", "measured", "holds")
    rows = [
        (one.what, one.floor, one.target, one.measured, "yes" if one.holds else "NO")
        for one in leg.verdicts
    ]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for row in (head, *rows):
        yield (
            "  "
            + "  ".join(
                cell.ljust(width) if column in {0, 4} else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
        )
    slowest = ", ".join(f"{name} {average:.0f} ms" for name, average in steady.slowest)
    yield f"  slowest on average: {slowest}"
    used = ", ".join(f"{part} {cpus / steady.rate * 1000:.1f}" for part, cpus in leg.cpu.items())
    yield f"  CPU ms of a request: {used}; memory of a server {leg.memory_mb:.0f} MB"
    if leg.climbed.beyond is not None:
        beyond = leg.climbed.beyond
        yield (
            f"  beyond it: {beyond.rate:.0f} req/s with P95 {beyond.percentile(0.95):.0f} ms "
            f"and {beyond.error_share:.1%} errors"
        )
    yield from (f"  failed: {error}" for error in (*steady.errors, *leg.crowd.errors))
    if leg.foreign_cpus > NOISE:
        yield (
            f"  Locust and other work used {leg.foreign_cpus:.1f} CPUs meanwhile; the latencies "
            "are worse than this machine can do."
        )


def _of_throughput(found: Throughput) -> Iterator[str]:
    yield f"{REPLICAS} replicas behind nginx, PostgreSQL + Redis; wrk, {CONNECTIONS} connections"
    legs = ", ".join(f"{rate:,.0f}" for rate in found.legs)
    yield (
        f"  tools/call: {found.rate:,.0f} a second ({legs}), target >= {PER_SECOND:,.0f}: "
        f"{'yes' if found.holds else 'NO'}"
    )
    shares = " and ".join(f"{calls:,}" for calls in found.by_replica)
    yield (
        f"  median {found.p50_ms:.1f} ms, P99 {found.p99_ms:.1f} ms, {found.wrong} wrong; "
        f"the replicas answered {shares}"
    )
    cpus = describe_machine()["cpus"]
    yield (
        f"  a call takes {found.cpu_us:,.0f} µs of CPU, everything together: "
        f"{cpus} CPUs have enough for {int(cpus) * 1e6 / found.cpu_us:,.0f} a second"
    )
    if found.foreign_cpus > NOISE:
        yield f"  other work used {found.foreign_cpus:.1f} CPUs meanwhile"


def write_json(folder: Path, plan: Plan, legs: Sequence[Leg], found: Throughput | None) -> Path:
    """The whole run for programs; returns where."""
    path = folder / f"load-{time.strftime('%Y%m%d-%H%M%S')}.json"
    content = {
        "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "machine": describe_machine(),
        "steady_seconds": plan.steady_seconds,
        "legs": [asdict(leg) for leg in legs],
        "throughput": None if found is None else asdict(found),
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path


def publish(text: str) -> None:
    """Replace the figures of the load legs in the documentation by these."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise NotMeasured(f"{PAGE} has no place for figures between {BEGIN} and {END}")
    day = time.strftime("%Y-%m-%d")
    PAGE.write_text(f"{before}{begin}\nMeasured on {day}:\n\n```text\n{text}\n```\n{end}{after}")
