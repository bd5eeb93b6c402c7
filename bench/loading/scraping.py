"""What the servers' own metrics say of a leg, all replicas together."""

import urllib.request
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from prometheus_client.parser import text_string_to_metric_families


class Timed(NamedTuple):
    """Times of one kind, in milliseconds."""

    count: int
    average: float
    p95: float


@dataclass(frozen=True, slots=True)
class Scrape:
    """Counters by name and labels, summed over the servers."""

    samples: Counter[tuple[str, str]]

    def since(self, before: "Scrape") -> "Scrape":
        """What came in between."""
        risen = Counter(self.samples)
        risen.subtract(before.samples)
        return Scrape(risen)

    def timed(self, histogram: str) -> Timed:
        """Average, and the 95th percentile as Prometheus reckons it from buckets."""
        count = self.samples[f"{histogram}_count", ""]
        if not count:
            return Timed(0, 0.0, 0.0)
        average = self.samples[f"{histogram}_sum", ""] / count
        lower = below = 0.0
        for bound, upto in sorted(
            (float(le), value)
            for (name, le), value in self.samples.items()
            if name == f"{histogram}_bucket" and le != "+Inf"
        ):
            if upto >= 0.95 * count:
                share = (0.95 * count - below) / (upto - below)
                lower += (bound - lower) * share
                break
            lower, below = bound, upto
        return Timed(int(count), average * 1000, lower * 1000)

    def value(self, name: str) -> float:
        """A counter, whatever its labels."""
        return self.samples[name, ""]


def scrape(servers: Iterable[str]) -> Scrape:
    """Read every server's /metrics; of labels only the bounds of buckets are told apart."""
    samples: Counter[tuple[str, str]] = Counter()
    for server in servers:
        with urllib.request.urlopen(f"{server}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples[sample.name, sample.labels.get("le", "")] += sample.value
    return Scrape(samples)
