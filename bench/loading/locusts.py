"""One run of the locustfile, headless, and what Locust counted."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.loading.stage import Stage
from bench.processes import NotMeasured, plain_environment

LOCUSTFILE = Path(__file__).parents[2] / "locustfile.py"
USERS = 100
SPAWN_RATE = 25


@dataclass(frozen=True, slots=True)
class Answered:
    """Requests of one leg; times in milliseconds, as Locust rounds them."""

    requests: int
    failures: int
    seconds: float
    average: float
    times: Mapping[int, int]
    slowest: Sequence[tuple[str, float]]
    errors: Sequence[str]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def error_share(self) -> float:
        """Failures of all requests."""
        return self.failures / self.requests

    def percentile(self, share: float) -> float:
        """So many requests were answered within this time."""
        wanted, seen = share * sum(self.times.values()), 0
        for time in sorted(self.times):
            seen += self.times[time]
            if seen >= wanted:
                return float(time)
        return float(max(self.times, default=0))


def run_locust(
    stage: Stage, folder: Path, *, per_minute: int, seconds: int, name: str, users: int = USERS
) -> Answered:
    """Users at this rate together for so long, counted once all of them are there."""
    outcome = folder / f"locust-{name}.json"
    finished = subprocess.run(
        [
            sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless",
            "--host", stage.url, "--users", str(users), "--spawn-rate", str(SPAWN_RATE),
            "--run-time", f"{seconds + users // SPAWN_RATE}s", "--reset-stats",
            "--per-minute", str(per_minute), "--json-file", str(outcome.with_suffix("")),
            "--only-summary", "--exit-code-on-error", "0", "--stop-timeout", "10",
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds + 120,
        env=plain_environment(
            {"MSIL_API_KEY": ",".join(stage.keys), "LOCUST_APPROVER_KEY": stage.approver}
        ),
    )  # fmt: skip
    if finished.returncode or not outcome.exists():
        raise NotMeasured(f"locust: {finished.stderr.strip()[-300:]}")
    return _read(json.loads(outcome.read_text()), finished.stdout)


def _read(entries: Sequence[dict[str, object]], printed: str) -> Answered:
    times: Counter[int] = Counter()
    total = requests = failures = 0
    starts, ends, slowest = [], [], []
    for entry in entries:
        count = int(str(entry["num_requests"]))
        found = {int(float(time)): int(n) for time, n in dict(entry["response_times"]).items()}  # type: ignore[call-overload]
        times.update(found)
        requests += count
        failures += int(str(entry["num_failures"]))
        total += float(str(entry["total_response_time"]))
        starts.append(float(str(entry["start_time"])))
        ends.append(float(str(entry["last_request_timestamp"])))
        slowest.append((str(entry["name"]), float(str(entry["total_response_time"])) / count))
    if not requests:
        raise NotMeasured("locust made no request")
    errors = printed.partition("Error report")[2].splitlines()[2:]
    return Answered(
        requests=requests,
        failures=failures,
        seconds=max(ends) - min(starts),
        average=total / requests,
        times=dict(times),
        slowest=sorted(slowest, key=lambda item: -item[1])[:3],
        errors=[line.strip()[:200] for line in errors if line.strip()][:3] if failures else [],
    )
