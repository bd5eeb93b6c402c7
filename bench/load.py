"""Load by wrk: one leg at a time, every answer looked at."""

import json
import resource
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.client import Client
from bench.document import WITNESS, measured_arguments
from bench.processes import NotMeasured, pinned, plain_environment
from bench.upstream import find_program

SCRIPT = Path(__file__).with_name("load.lua")
PARCELS = 97


@dataclass(frozen=True, slots=True)
class Outcome:
    """What wrk saw of one leg; `cpu_seconds` is its own."""

    answers: int
    seconds: float
    p50_ms: float
    p99_ms: float
    wrong: int
    broken: int
    sample: str
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class LoadGenerator:
    """Where it runs and where it leaves its files."""

    folder: Path
    cpus: set[int] | None

    def call(self, client: Client, tool: str, *, seconds: float, connections: int) -> Outcome:
        """Keep calling the measured tool for different parcels."""
        messages = [
            client.message("tools/call", {"name": tool, "arguments": measured_arguments(number)})
            for number in range(PARCELS)
        ]
        leg = {
            "path": client.path,
            "headers": messages[0][0],
            "bodies": [body for _, body in messages],
            "must_hold": [WITNESS, "PX0000"],
            "must_not_hold": ['"isError":true', '"isError": true'],
        }
        return self._run(client, leg, seconds=seconds, connections=connections)

    def list(self, client: Client, *, length: int, seconds: float) -> Outcome:
        """Keep listing tools on one connection; each answer has the length of the checked one."""
        headers, body = client.message("tools/list", {})
        leg = {"path": client.path, "headers": headers, "bodies": [body], "exact_length": length}
        return self._run(client, leg, seconds=seconds, connections=1)

    def _run(
        self, client: Client, leg: dict[str, object], *, seconds: float, connections: int
    ) -> Outcome:
        requests, outcome = self.folder / "leg.lua", self.folder / "leg.json"
        requests.write_text(f"return {_lua(leg)}\n")
        outcome.unlink(missing_ok=True)
        program = find_program("wrk", package="wrk")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        finished = subprocess.run(
            [
                program, "--threads", "1", "--connections", str(connections),
                "--duration", f"{max(1, round(seconds))}s", "--timeout", "30s",
                "--script", str(SCRIPT), client.url, "--", str(requests), str(outcome),
            ],
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds + 90,
            env=plain_environment(),
            preexec_fn=pinned(self.cpus),
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not outcome.exists():
            raise NotMeasured(f"wrk: {(finished.stderr or finished.stdout).strip()[:300]}")
        figures, sample = outcome.read_text().split("\n", 1)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Outcome(**json.loads(figures), sample=sample.strip(), cpu_seconds=spent)


def _lua(value: object) -> str:
    """A Python value as a Lua literal."""
    if isinstance(value, dict):
        pairs = (f"[{_lua(name)}]={_lua(item)}" for name, item in value.items())
        return "{" + ",".join(pairs) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(_lua, value)) + "}"
    if isinstance(value, int):
        return str(value)
    # JSON's escapes of plain ASCII text are Lua's, but for \\u and \\/, which json.dumps avoids.
    return json.dumps(str(value), ensure_ascii=False)
