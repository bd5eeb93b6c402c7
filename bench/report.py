"""What a run found, as tables for people and JSON for programs."""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.client import ERAS
from bench.compare import CONNECTIONS, LIST_ERA, Plan, Results, Standing
from bench.contenders import CONTENDERS
from bench.machine import describe_machine
from bench.peer_environment import peer_versions
from bench.processes import NotMeasured
from bench.requirements import Figures, judge
from bench.running import Leg

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
TITLES = {contender.key: contender.title for contender in CONTENDERS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One run's plan, results and length in seconds."""

    plan: Plan
    results: Results
    seconds: float

    def text(self) -> str:
        """Everything, in the order one asks for it."""
        machine = describe_machine()
        parts = [
            "{processor}, {cpus} CPUs, {memory_gb} GB, Linux {kernel}, Python {python}".format(
                **machine
            ),
            self._method(),
        ]
        for tools in self.plan.tools:
            parts += [f"\ntools/call, {tools} tools", self._calls(tools)]
        parts += [
            f"\ntools/list ({LIST_ERA}; ours on /mcp/bench), one connection", self._lists(),
            "\nStart-up (to the first tools/list answered) and memory", self._standings(),
            "\nMust hold", self._requirements(),
        ]  # fmt: skip
        noise = max((leg.foreign_cores for leg in self.results.legs), default=0.0)
        if noise > 0.15:
            parts.append(
                f"\nOther work used up to {noise:.1f} CPUs during legs: latencies and requests/s "
                "are worse than this machine can do, CPU time by up to a quarter; compare ratios."
            )
        parts += [f"\nNOT MEASURED: {reason}" for reason in self.results.missing]
        return "\n".join(parts)

    def write(self, folder: Path) -> Path:
        """The whole run as JSON; returns where."""
        path = folder / f"compare-{time.strftime('%Y%m%d-%H%M%S')}.json"
        content = {
            "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "machine": describe_machine(),
            "peers": peer_versions(),
            "seconds_a_leg": self.plan.seconds,
            "repeat": self.plan.repeat,
            "connections": CONNECTIONS,
            "took_seconds": round(self.seconds, 1),
            "medians": [self._medians(legs) for legs in self._groups()],
            "legs": [asdict(leg) for leg in self.results.legs],
            "standings": [asdict(standing) for standing in self.results.standings],
            "must_hold": [asdict(verdict) for verdict in judge(self._figures())],
            "not_measured": self.results.missing,
        }
        path.write_text(json.dumps(content, indent=1) + "\n")
        (folder / "latest.json").write_text(path.read_text())
        return path

    def _method(self) -> str:
        alone = describe_machine()["cpus"] == 1
        pinning = (
            "nothing pinned" if alone else "the server on one CPU, load and upstream on another"
        )
        return (
            f"{CONNECTIONS} connections; {pinning}; {self.plan.repeat} interleaved legs of "
            f"{self.plan.seconds:g} s, medians; {self.seconds:.0f} s in all"
        )

    def _groups(self) -> Iterable[list[Leg]]:
        grouped: dict[tuple[str, int, str, str], list[Leg]] = {}
        for leg in self.results.legs:
            grouped.setdefault((leg.contender, leg.tools, leg.era, leg.kind), []).append(leg)
        return grouped.values()

    def _medians(self, legs: Sequence[Leg]) -> dict[str, object]:
        first = legs[0]
        figures = ("rps", "cpu_us", "p50_ms", "p99_ms", "database_cpu_us", "foreign_cores")
        return {
            "contender": first.contender,
            "tools": first.tools,
            "era": first.era,
            "kind": first.kind,
            "bytes": first.bytes,
            "wrong": sum(leg.wrong + leg.broken for leg in legs),
            **{name: round(median(getattr(leg, name) for leg in legs), 3) for name in figures},
        }

    def _legs(self, contender: str, tools: int, era: str, kind: str) -> list[Leg]:
        wanted = (contender, tools, era, kind)
        return [
            leg
            for leg in self.results.legs
            if (leg.contender, leg.tools, leg.era, leg.kind) == wanted
        ]

    def _figures(self) -> Figures:
        def of(name: str) -> Callable[[str, int, str, str], float | None]:
            def read(contender: str, tools: int, era: str, kind: str) -> float | None:
                legs = self._legs(contender, tools, era, kind)
                return median(getattr(leg, name) for leg in legs) if legs else None

            return read

        return Figures(
            sizes=self.plan.tools,
            cpu_us=of("cpu_us"),
            p50_ms=of("p50_ms"),
            ratio=self._ratio,
            standings={(s.contender, s.tools): s for s in self.results.standings},
        )

    def _ratio(self, contender: str, base: str, tools: int, era: str, kind: str) -> float | None:
        """Median over the rounds of one's CPU per answer over the other's in the same round."""
        pairs = list(
            zip(
                self._legs(contender, tools, era, kind),
                self._legs(base, tools, era, kind),
                strict=False,
            )
        )
        return median(one.cpu_us / max(other.cpu_us, 1) for one, other in pairs) if pairs else None

    def _calls(self, tools: int) -> str:
        rows = []
        for era in ERAS:
            for contender in self.plan.contenders:
                legs = self._legs(contender.key, tools, era, "call")
                if not legs:
                    continue
                alone = any(leg.alone for leg in legs)
                database = median(leg.database_cpu_us for leg in legs)
                rows.append(
                    (
                        era,
                        contender.title + (" *" if alone else ""),
                        number(median(leg.cpu_us for leg in legs)),
                        number(median(leg.rps for leg in legs)),
                        number(median(leg.p50_ms for leg in legs)),
                        number(median(leg.p99_ms for leg in legs)),
                        str(sum(leg.wrong + leg.broken for leg in legs)),
                        times(self._ratio(contender.key, "ours", tools, era, "call")),
                        number(database) if database else "",
                    )
                )
        head = (
            "era", "server", "CPU µs", "req/s", "p50 ms", "p99 ms", "wrong", "CPU ÷ ours", "db µs",
        )  # fmt: skip
        alone = any(" *" in row[1] for row in rows)
        return table(head, rows) + ("\n* one call at a time" if alone else "")

    def _lists(self) -> str:
        rows = []
        for tools in self.plan.tools:
            for contender in self.plan.contenders:
                legs = self._legs(contender.key, tools, LIST_ERA, "list")
                if not legs:
                    continue
                floor = self._legs("floor", tools, LIST_ERA, "list")
                time_ratio = (
                    median(leg.p50_ms for leg in legs) / median(leg.p50_ms for leg in floor)
                    if floor
                    else None
                )
                rows.append(
                    (
                        str(tools),
                        contender.title,
                        number(median(leg.p50_ms for leg in legs)),
                        number(median(leg.cpu_us for leg in legs) / 1e3),
                        f"{legs[0].bytes / 1e3:,.1f}",
                        str(sum(leg.wrong + leg.broken for leg in legs)),
                        times(time_ratio),
                        times(self._ratio(contender.key, "floor", tools, LIST_ERA, "list")),
                    )
                )
        head = ("tools", "server", "p50 ms", "CPU ms", "kB", "wrong", "ms ÷ floor", "CPU ÷ floor")
        return table(head, rows)

    def _standings(self) -> str:
        head = (
            "tools", "server", "start s", "imports s", "then s", "then CPU s", "RSS idle MB",
            "RSS after MB", "bad input",
        )  # fmt: skip
        return table(head, [_standing_row(standing) for standing in self.results.standings])

    def _requirements(self) -> str:
        rows = [
            (verdict.what, verdict.target, verdict.measured, verdict.holds)
            for verdict in judge(self._figures())
        ]
        return table(("what", "target", "measured", "holds"), rows)


def publish(text: str, *, what: str = "figures") -> None:
    """Replace the figures of one kind in the documentation by these."""
    before, begin, rest = PAGE.read_text().partition(f"<!-- {what} -->")
    _, end, after = rest.partition(f"<!-- end of {what} -->")
    if not begin or not end:
        raise NotMeasured(f"{PAGE} has no place for {what}")
    day = time.strftime("%Y-%m-%d")
    PAGE.write_text(f"{before}{begin}\nMeasured on {day}:\n\n```text\n{text}\n```\n{end}{after}")


def _standing_row(standing: Standing) -> tuple[str, ...]:
    start_up = standing.start_up
    return (
        str(standing.tools),
        TITLES[standing.contender],
        f"{start_up.total:.2f}",
        f"{start_up.imports:.2f}",
        f"{start_up.after:.2f}",
        f"{start_up.after_cpu:.2f}",
        f"{standing.idle_mb:.0f}",
        f"{standing.after_mb:.0f}",
        "refused" if standing.refuses_bad_input else "passed on",
    )


def number(value: float) -> str:
    """Three digits or so."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def times(ratio: float | None) -> str:
    """So many times as much; nothing where that is not known."""
    if ratio is None:
        return ""
    return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.2f}x"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns: words to the left, figures to the right."""
    if not rows:
        return "  nothing measured"
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    wordy = [any(row[column][:1].isalpha() for row in rows) for column in range(len(head))]
    return "\n".join(
        "  "
        + "  ".join(
            cell.ljust(width) if words else cell.rjust(width)
            for cell, width, words in zip(row, widths, wordy, strict=True)
        ).rstrip()
        for row in table
    )
