"""What a streamed turn of a conversation costs: `python -m bench chat`.

Our server, with SQLite and with PostgreSQL, beside pydantic-ai's agent with its Vercel adapter
alone: the same scripted model over HTTP without delay, the same tool over HTTP, interleaved legs.
"""

import asyncio
import json
import os
import shutil
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from bench.chat_client import Heard, Ours, Peer, Talker, crowd
from bench.chat_model import model_name
from bench.compare import tell
from bench.contenders import CONTENDERS
from bench.databases import Backing
from bench.document import write_document
from bench.machine import cpu_seconds, cpu_sets, process_tree
from bench.peer_environment import PEERS
from bench.preparing import prepared
from bench.processes import LOOPBACK, NotMeasured, Started, free_port
from bench.upstream import Upstream

WORDS: Final = 200
PEOPLE: Final = 16
MANY: Final = 100
PACE_MS: Final = 20
PACED_WORDS: Final = 100
PEER: Final = "agent"
ZERO: Final = model_name(WORDS)
PACED: Final = model_name(PACED_WORDS, pause_ms=PACE_MS)
START_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class ChatLeg:
    """One measurement; `cpu_ms` is the server's CPU for one turn, in milliseconds.

    `kind` is cost (many turns as fast as they come), first (one person) or many (100 people).
    """

    server: str
    kind: str
    turns: int
    cpu_ms: float
    database_cpu_ms: float
    seconds: float
    first_ms: tuple[float, ...]
    failures: tuple[str, ...]


@dataclass(slots=True)
class ChatResults:
    """Everything measured, and what was not, with the reason."""

    legs: list[ChatLeg] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Server:
    key: str
    url: str
    talker: Talker
    process: Started
    backing: Backing

    def cpu_seconds(self) -> float:
        return cpu_seconds(process_tree(self.process.pid))


def measure_chat(folder: Path, *, repeat: int, turns: int) -> ChatResults:
    """Legs on every server in turns; `turns` for each of 16 people in a leg of cost."""
    work = folder / "chat"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    server_cpus, other_cpus = cpu_sets()
    results = ChatResults()
    before = os.sched_getaffinity(0)
    upstream = Upstream(work, cpus=other_cpus)
    try:
        with ExitStack() as stack:
            document = write_document(work, operations=1, base_url=upstream.base_url)
            model_url = stack.enter_context(_model(work, cpus=other_cpus))
            servers = [
                stack.enter_context(opened)
                for opened in (
                    _peer(work, model_url, upstream.base_url, cpus=server_cpus),
                    _ours("ours", work, document, model_url, cpus=server_cpus),
                    _ours("ours-pg", work, document, model_url, cpus=server_cpus),
                )
            ]
            if other_cpus:
                os.sched_setaffinity(0, other_cpus)
            _legs(servers, results, repeat=repeat, turns=turns)
    finally:
        os.sched_setaffinity(0, before)
        upstream.stop()
    return results


def _legs(servers: list[_Server], results: ChatResults, *, repeat: int, turns: int) -> None:
    for server in servers:
        _leg(server, "warm-up", model=ZERO, people=4, turns=4)
    for number in range(repeat):
        first = number % len(servers)
        for server in servers[first:] + servers[:first]:
            for kind, model, people, each in (
                ("cost", ZERO, PEOPLE, turns),
                ("first", PACED, 1, 3),
                ("many", PACED, MANY, 1),
            ):
                try:
                    leg = _leg(server, kind, model=model, people=people, turns=each)
                except (NotMeasured, OSError) as error:
                    results.missing.append(f"{server.key}, {kind}: {error}")
                    continue
                results.legs.append(leg)
                tell(f"chat: {server.key} {kind}: {leg.cpu_ms:.1f} ms CPU a turn")


def _leg(server: _Server, kind: str, *, model: str, people: int, turns: int) -> ChatLeg:
    at: list[float] = []

    def begun() -> None:
        _settle(server)
        at[:] = [server.cpu_seconds(), server.backing.cpu_seconds(), time.perf_counter()]

    answers = asyncio.run(
        crowd(server.url, server.talker, model=model, people=people, turns=turns, begun=begun)
    )
    seconds = time.perf_counter() - at[2]
    _settle(server)
    count = people * turns
    heard = [each for each in answers if isinstance(each, Heard)]
    failures = tuple(each for each in answers if isinstance(each, str))
    if not heard:
        raise NotMeasured(f"no answer was whole: {failures[0]} (see {server.process.log})")
    return ChatLeg(
        server=server.key,
        kind=kind,
        turns=count,
        cpu_ms=(server.cpu_seconds() - at[0]) / count * 1e3,
        database_cpu_ms=(server.backing.cpu_seconds() - at[1]) / count * 1e3,
        seconds=seconds,
        first_ms=tuple(each.first_ms for each in heard),
        failures=failures,
    )


def _settle(server: _Server) -> None:
    """Wait until what was begun is done."""
    deadline, before = time.monotonic() + 10, server.cpu_seconds()
    while time.monotonic() < deadline:
        time.sleep(0.3)
        now = server.cpu_seconds()
        if now - before <= 0.02:
            return
        before = now


@contextmanager
def _model(work: Path, *, cpus: set[int] | None) -> Iterator[str]:
    port = free_port()
    process = _uvicorn("bench.chat_model:app", work / "model.log", port=port, cpus=cpus)
    try:
        yield f"http://{LOOPBACK}:{port}/v1"
    finally:
        process.stop()


@contextmanager
def _peer(work: Path, model: str, upstream: str, *, cpus: set[int] | None) -> Iterator[_Server]:
    port = free_port()
    process = _uvicorn(
        "agent_app:app", work / "agent.log", "--app-dir", str(PEERS), port=port, cpus=cpus,
        OPENAI_BASE_URL=model, BENCH_UPSTREAM=upstream,
    )  # fmt: skip
    try:
        url = _until_ready(process, port)
        yield _Server(PEER, url, Peer(), process, Backing({}))
    finally:
        process.stop()


@contextmanager
def _ours(
    key: str, work: Path, document: Path, model: str, *, cpus: set[int] | None
) -> Iterator[_Server]:
    contender = next(each for each in CONTENDERS if each.key == key)
    with prepared(contender, document=document, folder=work / key, python=None) as (
        service,
        backing,
    ):
        chatting = {
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": model,
            "OPENAI_MODEL": f"openai:{ZERO}",
            "MSIL_MODELS_BY_ROLE": json.dumps({"administrator": [f"openai:{PACED}"]}),
        }
        environment = {**service.environment, **chatting}
        process = Started(
            service.command, log=work / f"{key}.log", environment=environment, cpus=cpus
        )
        try:
            url = _until_ready(process, int(environment["PORT"]))
            yield _Server(key, url, Ours(service.headers), process, backing)
        finally:
            process.stop()


def _uvicorn(
    app: str, log: Path, *options: str, port: int, cpus: set[int] | None, **environment: str
) -> Started:
    command = (
        sys.executable, "-m", "uvicorn", app, *options, "--host", LOOPBACK, "--port", str(port),
        "--loop", "uvloop", "--http", "httptools", "--log-level", "critical", "--no-access-log",
    )  # fmt: skip
    return Started(command, log=log, environment=environment, cpus=cpus)


def _until_ready(process: Started, port: int) -> str:
    url, deadline = f"http://{LOOPBACK}:{port}", time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        process.check_alive()
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=2):
                return url
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise NotMeasured(f"it is not ready within {START_SECONDS:.0f} s (see {process.log})")


def as_json(results: ChatResults) -> list[dict[str, object]]:
    """The legs for programs."""
    return [asdict(leg) for leg in results.legs]
