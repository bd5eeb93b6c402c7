"""Time series found fast by their label values, and never more of them than a limit."""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from typing_extensions import override

Recorder = TypeVar("Recorder")

OTHER: Final = "other"
MAX_SERIES: Final = 10_000


class Series(dict[tuple[str, ...], Recorder]):
    """What records each set of label values, made when the set is first seen.

    Past `limit` sets, the label at index `open_label` (the one whose values are not a short list)
    reads `other`, so that nothing a caller sends can grow the memory or the scrape without end.
    """

    def __init__(
        self,
        make: Callable[[tuple[str, ...]], Recorder],
        *,
        open_label: int = 0,
        limit: int = MAX_SERIES,
    ) -> None:
        super().__init__()
        self._make = make
        self._open_label = open_label
        self._limit = limit

    def __missing__(self, labels: tuple[str, ...]) -> Recorder:
        if len(self) >= self._limit:
            at = self._open_label
            labels = (*labels[:at], OTHER, *labels[at + 1 :])
            known = self.get(labels)
            if known is not None:
                return known
        recorder = self._make(labels)
        self[labels] = recorder
        return recorder


class PlainCounter(Collector):
    """A counter exposed under its own name, without the suffix `_total` the library insists on."""

    def __init__(
        self, name: str, documentation: str, labels: Iterable[str], *, registry: CollectorRegistry
    ) -> None:
        self.name = name
        self._documentation = documentation
        self._counter = Counter(name, documentation, labels, registry=None)
        registry.register(self)

    def labels(self, *values: str) -> Any:
        """The library's child counter for these label values."""
        return self._counter.labels(*values)

    def describe(self) -> Iterable[Metric]:
        """Its name, for the registry to find clashes by."""
        return [self._family()]

    @override
    def collect(self) -> Iterable[Metric]:
        family = self._family()
        for metric in self._counter.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total"):
                    family.add_sample(self.name, sample.labels, sample.value)
        return [family]

    def as_counter(self, exposition: bytes) -> bytes:
        """The plain text format with the type it has; OpenMetrics allows no such counter."""
        name = self.name.encode()
        return exposition.replace(
            b"# TYPE " + name + b" untyped\n", b"# TYPE " + name + b" counter\n", 1
        )

    def _family(self) -> Metric:
        return Metric(self.name, self._documentation, "unknown")
