"""The figures this product promises, each with what was measured of it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.client import ERAS
from bench.compare import LIST_ERA, Standing

CALL_US = 500
FEW, MANY = 6, 1000
Read = Callable[[str, int, str, str], float | None]
Ratio = Callable[[str, str, int, str, str], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How to read a run: medians, ratios within a round, and what stands beside the legs."""

    sizes: Sequence[int]
    cpu_us: Read
    p50_ms: Read
    ratio: Ratio
    standings: Mapping[tuple[str, int], Standing]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One promise: its target, what was measured, and whether that is within it."""

    what: str
    target: str
    measured: str
    holds: str


def judge(figures: Figures) -> list[Verdict]:
    """Every promise this run can say something about."""
    verdicts: list[Verdict] = []
    for ours, name in (("ours", "SQLite"), ("ours-pg", "PostgreSQL + Redis")):
        for era in ERAS:
            verdicts += _of_calls(figures, ours, f"{name}, {era}", era)
        verdicts += _of_size(figures, ours, name)
    return verdicts


def _of_calls(figures: Figures, ours: str, name: str, era: str) -> Iterator[Verdict]:
    for tools in figures.sizes:
        cost = figures.cpu_us(ours, tools, era, "call")
        if cost is not None:
            yield verdict(
                f"{name}, {tools} tools: CPU of a call",
                f"<= {CALL_US} µs",
                f"{cost:.0f} µs",
                cost <= CALL_US,
            )
        lowlevel = figures.ratio("lowlevel", ours, tools, era, "call")
        if lowlevel is not None:
            yield verdict(
                f"{name}, {tools} tools: the SDK's low-level server over ours",
                "> 1x",
                f"{lowlevel:.2f}x",
                lowlevel > 1,
            )
    for tools, target in _fastmcp_targets(era):
        ratio = figures.ratio("fastmcp", ours, tools, era, "call")
        if ratio is not None:
            yield verdict(
                f"{name}, {tools} tools: FastMCP over ours",
                f">= {target:,}x",
                f"{ratio:,.1f}x",
                ratio >= target,
            )
    few, many = (figures.cpu_us(ours, tools, era, "call") for tools in (FEW, MANY))
    if few is not None and many is not None:
        yield verdict(
            f"{name}: a call among {MANY:,} tools beside one among {FEW}",
            "<= +10 % or +30 µs",
            f"{many - few:+.0f} µs ({(many / few - 1) * 100:+.0f} %)",
            many <= max(few * 1.1, few + 30),
        )


def _of_size(figures: Figures, ours: str, name: str) -> Iterator[Verdict]:
    mine, floor = (figures.p50_ms(key, MANY, LIST_ERA, "list") for key in (ours, "floor"))
    if mine is not None and floor is not None:
        yield verdict(
            f"{name}, {MANY:,} tools: tools/list over the floor's",
            "<= 1.5x",
            f"{mine / floor:.2f}x ({mine:.2f} ms)",
            mine <= 1.5 * floor,
        )
    standing = figures.standings.get((ours, MANY))
    if standing is not None:
        start_up = standing.start_up
        yield verdict(
            f"{name}, {MANY:,} tools: ready after imports ({start_up.imports:.2f} s)",
            "<= 1.2 s",
            f"{start_up.after:.2f} s ({start_up.after_cpu:.2f} s CPU)",
            start_up.after <= 1.2,
        )
        yield verdict(
            f"{name}, {MANY:,} tools: memory when idle",
            "< 150 MB",
            f"{standing.idle_mb:.0f} MB",
            standing.idle_mb < 150,
        )


def _fastmcp_targets(era: str) -> tuple[tuple[int, int], ...]:
    return ((FEW, 6),) if era == "legacy" else ((FEW, 20), (MANY, 1000))


def verdict(what: str, target: str, measured: str, holds: bool) -> Verdict:
    """A promise, and whether it is kept."""
    return Verdict(what, target, measured, "yes" if holds else "NO")
