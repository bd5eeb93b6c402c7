"""Starting and ending what a run needs; everything listens on loopback."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

LOOPBACK = "127.0.0.1"


class NotMeasured(Exception):
    """Something could not be measured; the message says why and what to do."""


class Started:
    """A process in a session of its own, its output in a file."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        cpus: set[int] | None = None,
    ) -> None:
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=plain_environment(environment),
                start_new_session=True,
                preexec_fn=pinned(cpus),
            )

    @property
    def pid(self) -> int:
        """Root of the process tree."""
        return self.process.pid

    def check_alive(self) -> None:
        """Raise, with the last line it wrote, when it has ended."""
        if self.process.poll() is None:
            return
        lines = self.log.read_text(errors="replace").strip().splitlines()
        last = lines[-1][:300] if lines else "it wrote nothing"
        raise NotMeasured(f"it ended with {self.process.returncode}: {last} (see {self.log})")

    def stop(self) -> None:
        """Ask it to end, then make it."""
        for number, patience in ((signal.SIGTERM, 10), (signal.SIGKILL, 5)):
            with suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(patience)
                return


def pinned(cpus: set[int] | None) -> Callable[[], None] | None:
    """What to run in a child before its program so that it stays on these CPUs."""
    return (lambda: os.sched_setaffinity(0, cpus)) if cpus else None


def plain_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of this shell's settings but what every program needs."""
    kept = {
        name: os.environ[name]
        for name in ("PATH", "HOME", "LANG", "PYTHONPATH")
        if name in os.environ
    }
    return kept | {"NO_PROXY": LOOPBACK} | dict(extra or {})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port
