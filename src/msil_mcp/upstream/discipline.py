"""How a struggling service is treated: a circuit breaker, a bulkhead and a retry budget."""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import urlsplit

import structlog

from msil_mcp.upstream.errors import CircuitOpen, UpstreamBusy

log = structlog.get_logger()
CircuitState = Literal["closed", "open", "probing"]
"""A probing one lets a single call through, to see whether the service is back."""

FAILURES_TO_OPEN: Final = 10
OPEN_SECONDS: Final = 10.0
CONCURRENT_PER_ORIGIN: Final = 256
RETRY_SHARE: Final = 0.2
RETRY_FLOOR: Final = 3
RETRY_JITTER_SECONDS: Final = (0.01, 0.1)


@dataclass(slots=True, eq=False)
class Circuit:
    """What is known of one origin; `open_until` of 0 means closed."""

    origin: str
    running: int = 0
    retrying: int = 0
    failures: int = 0
    open_until: float = 0.0
    probing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An origin seen from outside; `failures` are those in a row."""

    origin: str
    state: CircuitState
    running: int
    failures: int
    retry_in_seconds: float | None


class Discipline:
    """One per process. Every `enter` is followed by exactly one `leave`, in a finally."""

    def __init__(
        self,
        *,
        failures_to_open: int = FAILURES_TO_OPEN,
        open_seconds: float = OPEN_SECONDS,
        concurrent: int = CONCURRENT_PER_ORIGIN,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures_to_open = failures_to_open
        self._open_seconds = open_seconds
        self._concurrent = concurrent
        self._clock = clock
        self._circuits: dict[str, Circuit] = {}

    def enter(self, base_url: str) -> Circuit:
        """Begin a call; raises CircuitOpen or UpstreamBusy, and then nothing was begun."""
        origin = origin_of(base_url)
        circuit = self._circuits.get(origin)
        if circuit is None:
            circuit = self._circuits[origin] = Circuit(origin)
        if circuit.open_until:
            remaining = circuit.open_until - self._clock()
            if remaining > 0 or circuit.probing:
                raise CircuitOpen(retry_after=max(remaining, 1.0))
            circuit.probing = True
        if circuit.running >= self._concurrent:
            circuit.probing = False
            raise UpstreamBusy
        circuit.running += 1
        return circuit

    def leave(self, circuit: Circuit, *, failed: bool | None) -> None:
        """End a call; None says that it proved nothing about the service, as when cancelled."""
        circuit.running -= 1
        probed, circuit.probing = circuit.probing, False
        if failed is None:
            return
        if not failed:
            if circuit.open_until:
                log.info("upstream_circuit_closed", origin=circuit.origin)
            circuit.failures = 0
            circuit.open_until = 0.0
            return
        circuit.failures += 1
        if circuit.failures >= self._failures_to_open and (probed or not circuit.open_until):
            circuit.open_until = self._clock() + self._open_seconds
            log.warning("upstream_circuit_opened", origin=circuit.origin, failures=circuit.failures)

    def open_circuits(self) -> Mapping[str, float]:
        """1 for each host that kept failing and has not answered since, 0 for every other one."""
        found: dict[str, float] = {}
        for origin, circuit in tuple(self._circuits.items()):
            host, _ = address_of(origin)
            found[host] = max(found.get(host, 0.0), float(circuit.open_until > 0))
        return found

    def standing(self) -> list[Standing]:
        """How every origin that was called stands now, by name."""
        now = self._clock()
        return [
            Standing(
                origin=circuit.origin,
                state=_state(circuit, now),
                running=circuit.running,
                failures=circuit.failures,
                retry_in_seconds=max(circuit.open_until - now, 0.0) if circuit.open_until else None,
            )
            for _, circuit in sorted(self._circuits.items())
        ]

    def may_retry(self, circuit: Circuit) -> bool:
        """Whether the budget has room for one more repetition at this moment."""
        if circuit.open_until:
            return False
        return circuit.retrying < max(RETRY_FLOOR, RETRY_SHARE * circuit.running)


def _state(circuit: Circuit, now: float) -> CircuitState:
    if not circuit.open_until:
        return "closed"
    return "open" if circuit.open_until > now and not circuit.probing else "probing"


def retry_delay() -> float:
    """Seconds to wait before the one repetition, spread so that callers do not return at once."""
    return random.uniform(*RETRY_JITTER_SECONDS)  # noqa: S311 - spreading, not secrecy


@lru_cache(maxsize=1024)
def origin_of(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


@lru_cache(maxsize=1024)
def address_of(url: str) -> tuple[str, int]:
    """Host and port, with the scheme's port where none is written."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
