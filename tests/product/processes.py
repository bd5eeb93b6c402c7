"""The server as its operators run it: a process of its own, which can be killed."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from databases import POOL_SIZE, SECRET
from running import free_port

START_SECONDS = 30.0


class Child(Protocol):
    """A process of ours, however it was begun."""

    def kill(self) -> None: ...

    def terminate(self) -> None: ...

    def wait(self, timeout: float) -> int | None: ...

    def poll(self) -> int | None: ...


@dataclass
class ServerProcess:
    url: str
    process: Child
    log: Path

    def kill(self) -> None:
        """As the kernel kills: nothing is said, nothing is finished."""
        self.process.kill()
        self.process.wait(10)

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/ready", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False


def environment(url: str, folder: Path, **settings: str) -> dict[str, str]:
    """What a process is started with: this one's own, and the test's settings."""
    ours = {"DATABASE_URL": url, "MSIL_SECRET_KEY": SECRET, "MSIL_DATA_DIR": str(folder)}
    ours["MSIL_DATABASE_POOL_SIZE"] = str(POOL_SIZE)
    return {**os.environ, **ours, **settings}


def start(env: Mapping[str, str], folder: Path) -> ServerProcess:
    port = free_port()
    log = folder / f"server-{port}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "msil_mcp", "serve", "--port", str(port)],
            cwd=folder,
            env=dict(env),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return ServerProcess(f"http://127.0.0.1:{port}", process, log)


@contextmanager
def server_processes(
    env: Mapping[str, str], folder: Path, *, count: int = 1
) -> Iterator[list[ServerProcess]]:
    """That many servers, started side by side and ready."""
    with ExitStack() as stack:
        servers = []
        for _ in range(count):
            server = start(env, folder)
            servers.append(server)
            stack.callback(_end, server)
        for server in servers:
            server.wait_until_ready()
        yield servers


def _end(server: ServerProcess) -> None:
    server.process.terminate()
    try:
        server.process.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()
