"""Servers forked from a process that has loaded everything, so that many can die in little time.

Each is a process of its own that runs `msil-mcp serve`; only its imports were done before.
"""

import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from product.processes import ServerProcess
from running import free_port

LOADED = ["msil_mcp.cli.serving", "msil_mcp.main", "msil_mcp.chat.answering", "product.forking"]


class Forked:
    """A forked process, spoken to like one that was started."""

    def __init__(self, process: ForkServerProcess) -> None:
        self._process = process

    def kill(self) -> None:
        self._process.kill()

    def terminate(self) -> None:
        self._process.terminate()

    def wait(self, timeout: float) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode


class Nursery:
    """Where servers are forked; the process it needs is begun once and ends with the tests."""

    def __init__(self) -> None:
        self._context: ForkServerContext = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(LOADED)

    def start(self, env: Mapping[str, str], folder: Path) -> ServerProcess:
        port = free_port()
        log = folder / f"server-{port}.log"
        arguments = (dict(env), str(folder), str(log), port)
        process = self._context.Process(target=serve, args=arguments, daemon=True)
        process.start()
        return ServerProcess(f"http://127.0.0.1:{port}", Forked(process), log)


def serve(env: dict[str, str], folder: str, log: str, port: int) -> None:
    """What a forked process does: what the command does."""
    os.environ.clear()
    os.environ.update(env)
    os.chdir(folder)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.argv = ["msil-mcp", "serve", "--port", str(port)]
    from msil_mcp.cli import main

    main()
