"""`python -m bench.recovery`: how long a backup and a return from it take, at each database.

Audit records are written through the product until there are so many; then the database is backed
up, lost, put back, its trail verified, and a server started on it. The time from the loss to a
ready server is what a recovery takes, whoever decides on it aside.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import databases
from bench.processes import free_port
from msil_mcp.cli.database import desk
from msil_mcp.settings import Settings

AT_ONCE = 500
READY_SECONDS = 60.0


def run(command: list[str], environment: Mapping[str, str]) -> float:
    """Seconds a command took; its output is shown only when it fails."""
    started = time.perf_counter()
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(f"recovery: {' '.join(command[:4])} failed: {done.stderr.strip()}")
    return time.perf_counter() - started


def ours(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "msil_mcp", *arguments]


async def fill(settings: Settings, rows: int) -> None:
    """Audit records, each with the details of a change, in a chain that verifies."""
    async with desk(settings) as at:
        for begin in range(0, rows, AT_ONCE):
            await asyncio.gather(
                *(
                    at.record(
                        "tool.changed",
                        target=f"tool_{number % 500}",
                        details={"number": number, "title": "Regular service", "enabled": True},
                    )
                    for number in range(begin, min(begin + AT_ONCE, rows))
                )
            )


@contextmanager
def changed_environment(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def seconds_until_ready(environment: Mapping[str, str]) -> float:
    """A server started on the database, until it takes requests."""
    port = free_port()
    started = time.perf_counter()
    server = subprocess.Popen(
        ours("serve", "--port", str(port)),
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while time.perf_counter() - started < READY_SECONDS:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=2):
                    return time.perf_counter() - started
            except (urllib.error.URLError, OSError):
                time.sleep(0.05)
    finally:
        server.terminate()
        server.wait(60)
    sys.exit("recovery: the server did not become ready")


def embedded(folder: Path, rows: int) -> dict[str, float]:
    with databases.sqlite(folder / "data") as backing:
        environment = backing.environment
        copy = folder / "copy.db"
        prepare(environment, rows)
        figures = {"backup": run(ours("backup", str(copy)), environment)}
        figures["file"] = float(copy.stat().st_size)
        (folder / "data" / "msil.db").unlink()
        figures["restore"] = run(ours("restore", str(copy)), environment)
        return figures | after(environment)


def production(folder: Path, rows: int) -> dict[str, float]:
    with databases.postgresql(folder / "data") as backing:
        environment, dump = backing.environment, folder / "copy.dump"
        url = environment["DATABASE_URL"]
        prepare(environment, rows)
        command = ["pg_dump", "--format=custom", f"--file={dump}", url]
        figures = {"backup": run(command, environment)}
        figures["file"] = float(dump.stat().st_size)
        if backing.connection is not None:
            backing.connection.execute(f'DROP DATABASE "{backing.database}" WITH (FORCE)')
            backing.connection.execute(f'CREATE DATABASE "{backing.database}"')
        command = ["pg_restore", "--exit-on-error", "--jobs=2", f"--dbname={url}", str(dump)]
        figures["restore"] = run(command, environment)
        return figures | after(environment)


def prepare(environment: Mapping[str, str], rows: int) -> None:
    run(ours("migrate"), environment)
    with changed_environment(environment):
        asyncio.run(fill(Settings(_env_file=None), rows))


def after(environment: Mapping[str, str]) -> dict[str, float]:
    return {
        "verify": run(ours("audit", "verify"), environment),
        "ready": seconds_until_ready(environment),
    }


LEGS: Mapping[str, Callable[[Path, int], dict[str, float]]] = {
    "SQLite": embedded,
    "PostgreSQL": production,
}


def main() -> int:
    """Print a line for each database."""
    parser = argparse.ArgumentParser(prog="python -m bench.recovery", description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000, help="audit records (200,000)")
    rows: int = parser.parse_args().rows
    print(f"{rows:,} audit records, {os.cpu_count()} processors; seconds\n")
    print("| Database | Backup | File | Restore | Server ready | Recovery | Verify the trail |")
    print("|---|---|---|---|---|---|---|")
    for name, leg in LEGS.items():
        with TemporaryDirectory(prefix="recovery-") as folder:
            f = leg(Path(folder), rows)
        print(
            f"| {name} | {f['backup']:.1f} | {f['file'] / 1e6:.0f} MB | {f['restore']:.1f} | "
            f"{f['ready']:.1f} | {f['restore'] + f['ready']:.1f} | {f['verify']:.1f} |",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
