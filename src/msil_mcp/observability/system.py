"""Load of the machine, read often and never waited for."""

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

FRESH_SECONDS: Final = 2.0
PATIENCE_SECONDS: Final = 1.0
LEAST_CPU_SECONDS: Final = 0.1
MEGABYTE: Final = 1 << 20
GIGABYTE: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class SystemLoad:
    """One reading; percentages are of the whole machine, sizes in the unit their name says."""

    cpu_percent: float
    memory_percent: float
    memory_available_mb: int
    disk_percent: float
    disk_free_gb: float


class SystemMonitor:
    """The latest reading, renewed in the background by whoever asks for it.

    A disk that hangs delays the reading, never the one who asks. The CPU's share is that between
    two readings, so the first one counts from construction.
    """

    def __init__(self, *, disk: Path) -> None:
        self._disk = disk
        self._busy, self._total = _cpu_seconds()
        self._cpu_percent = 0.0
        self._reading = threading.Lock()
        self._read_at = 0.0
        self._load = self._read()

    def load(self) -> SystemLoad:
        """The last reading, at once; an old one starts the next reading."""
        if time.monotonic() - self._read_at > FRESH_SECONDS and not self._reading.locked():
            threading.Thread(target=self.refresh, name="system-load", daemon=True).start()
        return self._load

    def refresh(self) -> SystemLoad:
        """A reading no older than two seconds, unless the disk keeps another reader waiting."""
        if self._reading.acquire(timeout=PATIENCE_SECONDS):
            try:
                if time.monotonic() - self._read_at > FRESH_SECONDS:
                    self._load = self._read()
            finally:
                self._reading.release()
        return self._load

    def _read(self) -> SystemLoad:
        busy, total = _cpu_seconds()
        if total - self._total > LEAST_CPU_SECONDS:
            self._cpu_percent = 100 * (busy - self._busy) / (total - self._total)
            self._busy, self._total = busy, total
        memory = psutil.virtual_memory()
        disk = psutil.disk_usage(str(_existing(self._disk)))
        self._read_at = time.monotonic()
        return SystemLoad(
            cpu_percent=round(min(100.0, max(0.0, self._cpu_percent)), 1),
            memory_percent=round(memory.percent, 1),
            memory_available_mb=int(memory.available // MEGABYTE),
            disk_percent=round(disk.percent, 1),
            disk_free_gb=round(disk.free / GIGABYTE, 1),
        )


def _cpu_seconds() -> tuple[float, float]:
    # psutil.cpu_percent remembers its last reading per thread, and ours come from several.
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    total = sum(times) - guest
    return total - idle, total


def _existing(path: Path) -> Path:
    found = path.resolve()
    while not found.exists() and found != found.parent:
        found = found.parent
    return found
