"""What the conversations of a run cost, as tables for people and JSON for programs."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.chat import MANY, PACE_MS, PACED_WORDS, PEER, PEOPLE, WORDS, ChatLeg, ChatResults
from bench.chat_sessions import SessionFigures
from bench.contenders import CONTENDERS
from bench.machine import describe_machine
from bench.report import number, table, times
from bench.requirements import Verdict, verdict

AGENT = "pydantic-ai's agent, its Vercel adapter"
TITLES = {PEER: AGENT} | {each.key: each.title for each in CONTENDERS}
ORDER = ("ours", "ours-pg", PEER)
ALLOWED_RATIO = 1.5
ALLOWED_FIRST_MS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatReport:
    """One run; `seconds` is how long it took."""

    results: ChatResults
    sessions: SessionFigures | None
    seconds: float

    def text(self) -> str:
        """Everything, in the order one asks for it."""
        machine = describe_machine()
        parts = [
            "{processor}, {cpus} CPUs, {memory_gb} GB, Linux {kernel}, Python {python}".format(
                **machine
            ),
            f"the server on one CPU, the others on another; medians; {self.seconds:.0f} s in all",
            f"\nA streamed turn: one tool, {WORDS} pieces, a model without delay; {PEOPLE} people",
            self._costs(),
            f"\nThe first piece at the client after the model's: one person, {PACE_MS} ms a piece",
            self._firsts(),
            f"\n{MANY} people at once: one tool, {PACED_WORDS} pieces, {PACE_MS} ms a piece",
            self._crowds(),
        ]
        if self.sessions is not None:
            parts += ["\nConversations over PostgreSQL", self.sessions.text()]
        rows = [(each.what, each.target, each.measured, each.holds) for each in self._verdicts()]
        parts += ["\nMust hold", table(("what", "target", "measured", "holds"), rows)]
        parts += [f"\nNOT MEASURED: {reason}" for reason in self.results.missing]
        return "\n".join(parts)

    def write(self, folder: Path) -> Path:
        """The whole run as JSON; returns where."""
        path = folder / f"chat-{time.strftime('%Y%m%d-%H%M%S')}.json"
        content = {
            "when": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "machine": describe_machine(),
            "legs": [asdict(leg) for leg in self.results.legs],
            "must_hold": [asdict(each) for each in self._verdicts()],
            "not_measured": self.results.missing,
        }
        path.write_text(json.dumps(content, indent=1) + "\n")
        return path

    def _legs(self, server: str, kind: str) -> list[ChatLeg]:
        return [leg for leg in self.results.legs if (leg.server, leg.kind) == (server, kind)]

    def _ratio(self, server: str) -> float | None:
        """Median over the rounds of one's CPU over the agent's in the same round."""
        pairs = zip(self._legs(server, "cost"), self._legs(PEER, "cost"), strict=False)
        ratios = [one.cpu_ms / max(other.cpu_ms, 0.001) for one, other in pairs]
        return median(ratios) if ratios else None

    def _costs(self) -> str:
        rows = []
        for server in ORDER:
            legs = self._legs(server, "cost")
            if not legs:
                continue
            database = median(leg.database_cpu_ms for leg in legs)
            rows.append(
                (
                    TITLES[server],
                    number(median(leg.cpu_ms for leg in legs)),
                    times(self._ratio(server)),
                    number(median(leg.turns / leg.seconds for leg in legs)),
                    str(sum(len(leg.failures) for leg in legs)),
                    number(database) if database else "",
                )
            )
        return table(("server", "CPU ms", "CPU ÷ agent", "turns/s", "wrong", "db ms"), rows)

    def _firsts(self) -> str:
        rows = []
        for server in ORDER:
            waits = _waits(self._legs(server, "first"))
            if waits:
                shown = [number(value) for value in (median(waits), _p95(waits), waits[-1])]
                rows.append((TITLES[server], str(len(waits)), *shown))
        return table(("server", "turns", "p50 ms", "p95 ms", "max ms"), rows)

    def _crowds(self) -> str:
        rows = []
        for server in ORDER:
            legs = self._legs(server, "many")
            waits = _waits(legs)
            if waits:
                rows.append(
                    (
                        TITLES[server],
                        str(sum(leg.turns for leg in legs)),
                        str(sum(len(leg.failures) for leg in legs)),
                        number(median(leg.seconds for leg in legs)),
                        number(median(waits)),
                        number(_p95(waits)),
                        number(median(leg.cpu_ms for leg in legs)),
                    )
                )
        head = ("server", "turns", "errors", "s", "first p50 ms", "first p95 ms", "CPU ms")
        return table(head, rows)

    def _verdicts(self) -> list[Verdict]:
        found: list[Verdict] = []
        for server, name in (("ours", "SQLite"), ("ours-pg", "PostgreSQL + Redis")):
            ratio = self._ratio(server)
            if ratio is not None:
                found.append(
                    verdict(
                        f"{name}: CPU of a streamed turn over the agent's and adapter's alone",
                        f"<= {ALLOWED_RATIO:g}x",
                        f"{ratio:.2f}x",
                        ratio <= ALLOWED_RATIO,
                    )
                )
            waits = _waits(self._legs(server, "first"))
            if waits:
                found.append(
                    verdict(
                        f"{name}: first piece after the model's, the longest of {len(waits)}",
                        f"<= {ALLOWED_FIRST_MS:g} ms",
                        f"{waits[-1]:.1f} ms",
                        waits[-1] <= ALLOWED_FIRST_MS,
                    )
                )
            legs = self._legs(server, "many")
            if legs:
                errors = sum(len(leg.failures) for leg in legs)
                what = (
                    f"{name}: errors among {sum(leg.turns for leg in legs)} turns of {MANY} people"
                )
                found.append(verdict(what, "0", str(errors), errors == 0))
        return found + (self.sessions.verdicts() if self.sessions is not None else [])


def _waits(legs: Sequence[ChatLeg]) -> list[float]:
    return sorted(wait for leg in legs for wait in leg.first_ms)


def _p95(ordered: Sequence[float]) -> float:
    return ordered[-(-95 * len(ordered) // 100) - 1]
