"""Where a call's time goes: the parts of it one by one, and the whole in growing slices.

Runs in this process on a fresh SQLite database; CPU microseconds, the median of several rounds.
"""

import asyncio
import io
import json
import shutil
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import structlog
import uvloop

from bench.contenders import CONTENDERS
from bench.document import MEASURED, measured_arguments, write_document
from bench.machine import cpu_sets, describe_machine
from bench.preparing import prepared
from bench.upstream import Upstream
from msil_mcp.audit.records import AuditRecord
from msil_mcp.audit.verify import verify
from msil_mcp.governance.limits import Limit, LocalLimiter
from msil_mcp.governance.masks import ToolMasks
from msil_mcp.governance.rules import Authorize
from msil_mcp.mcp.wire import parse_json
from msil_mcp.observability.context import new_correlation_id
from msil_mcp.observability.logging import configure_logging
from msil_mcp.openapi.canonical import arguments_hash
from msil_mcp.principal import Principal
from msil_mcp.services import Services, running
from msil_mcp.settings import Settings
from msil_mcp.tools.call import ToolCall, ToolResult
from msil_mcp.tools.version import ToolVersion
from msil_mcp.upstream.credentials import EnvironmentCredentials
from msil_mcp.upstream.discipline import Discipline
from msil_mcp.upstream.invoker import UpstreamInvoker

ROUNDS = 5
CONCURRENT = 16
TOOLS = 1000


def measure_parts(folder: Path) -> int:
    """Print and store the figures."""
    work = folder / "parts"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    upstream = Upstream(work, cpus=cpu_sets()[1])
    try:
        document = write_document(work, operations=TOOLS, base_url=upstream.base_url)
        ours = next(contender for contender in CONTENDERS if contender.key == "ours")
        with prepared(ours, document=document, folder=work / "data", python=None) as (service, _):
            settings = Settings(
                data_dir=work / "data",
                rate_per_principal=1e6,
                rate_per_tool=1e6,
                rate_global=1e6,
                rate_burst=10**6,
                _env_file=None,
            )
            figures = uvloop.run(_measure(settings, service.headers["Authorization"]))
    finally:
        upstream.stop()
    print("{processor}, Python {python}; {tools} tools, SQLite".format(
        **describe_machine(), tools=TOOLS
    ))  # fmt: skip
    for name, value, unit in figures:
        print(f"  {name:<52} {value:>10,.1f} {unit}")
    (folder / "parts.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 0


async def _measure(settings: Settings, authorization: str) -> list[tuple[str, float, str]]:
    log = configure_logging(settings, stream=io.BytesIO())
    try:
        async with running(settings, serving=True) as services:
            figures = [*(await _parts(services, authorization)), *(await _slices(services))]
            figures += await asyncio.to_thread(_verify, services)
            return [(name, round(value, 2), unit) for name, value, unit in figures]
    finally:
        log.close()


def _call(services: Services, principal: Principal, number: int = 1) -> ToolCall:
    return ToolCall(
        principal=principal,
        tool=services.snapshots.current().tools[MEASURED],
        arguments=measured_arguments(number),
        origin="mcp",
        correlation_id=new_correlation_id(),
        deadline=time.monotonic() + 600,
        bundle="bench",
    )


async def _principal(services: Services, authorization: str) -> Principal:
    return await services.identity.authenticator.authenticate({"authorization": authorization})


class _Answered:
    """The end of a chain of one rule."""

    def __init__(self, result: ToolResult) -> None:
        self._result = result

    async def invoke(self, call: ToolCall, /) -> ToolResult:  # noqa: ARG002 the invoker's shape
        return self._result


async def _parts(services: Services, authorization: str) -> list[tuple[str, float, str]]:
    principal = await _principal(services, authorization)
    call = _call(services, principal)
    tool: ToolVersion = call.tool
    result = await _upstream(services).invoke(call)
    end = _Answered(result)
    authorize = Authorize(snapshots=services.snapshots, inner=end)
    limit = Limit(
        settings=services.settings, limiter=LocalLimiter(), inner=end, on_limit=lambda _: None
    )
    masks = ToolMasks.of(tool.definition)
    headers = {"authorization": authorization}
    message = json.dumps(
        {
            "jsonrpc": "2.0", "id": 1, "method": "tools/call",
            "params": {"name": MEASURED, "arguments": measured_arguments(1)},
        }
    ).encode()  # fmt: skip
    log = structlog.get_logger()
    nothing = await _each(lambda: end.invoke(call))
    return [
        ("read the JSON-RPC message", _loop(lambda: parse_json(message)), "µs"),
        (
            "authenticate",
            await _each(lambda: services.identity.authenticator.authenticate(headers)),
            "µs",
        ),
        ("authorize", await _each(lambda: authorize.invoke(call)) - nothing, "µs"),
        ("validate", _loop(lambda: tool.validator.validate(call.arguments)), "µs"),
        ("limit", await _each(lambda: limit.invoke(call)) - nothing, "µs"),
        ("build the request", _loop(lambda: tool.builder.build(call.arguments)), "µs"),
        ("mask the arguments", _loop(lambda: masks.arguments.arguments(call.arguments)), "µs"),
        (
            "mask the result",
            _loop(lambda: masks.result.result(result.text, result.structured)),
            "µs",
        ),
        ("hash the arguments", _loop(lambda: arguments_hash(call.arguments)), "µs"),
        ("log line", _loop(lambda: log.info("http_request", method="POST", status=200)), "µs"),
        (
            "count the call",
            _loop(lambda: services.metrics.record_tool_call(MEASURED, "success", 0.01)),
            "µs",
        ),
    ]


async def _slices(services: Services) -> list[tuple[str, float, str]]:
    principal = Principal(
        id="key:0", kind="key", name="bench", roles=frozenset({"administrator"}),
        permissions=frozenset(),
    )  # fmt: skip
    upstream = _upstream(services)
    record = AuditRecord(
        kind="tool.call", action="tools/call", outcome="succeeded", principal=principal,
        origin="mcp", tool=MEASURED, arguments="{}", result="{}",
    )  # fmt: skip
    return [
        (
            f"audit record written, {CONCURRENT} at once",
            await _together(lambda _: services.audit.write(record)),
            "µs",
        ),
        (
            f"upstream alone, {CONCURRENT} at once",
            await _together(lambda number: upstream.invoke(_call(services, principal, number))),
            "µs",
        ),
        (
            f"the whole chain, {CONCURRENT} at once",
            await _together(
                lambda number: services.invoker.invoke(_call(services, principal, number))
            ),
            "µs",
        ),
    ]


def _upstream(services: Services) -> UpstreamInvoker:
    return UpstreamInvoker(
        egress=services.egress,
        settings=services.settings,
        credentials=EnvironmentCredentials({}, environment={}),
        discipline=Discipline(),
    )


def _verify(services: Services) -> list[tuple[str, float, str]]:
    found = verify(services.database, services.keyring.mac("audit-chain"))
    if not found.intact:
        print("The trail does not verify.", file=sys.stderr)
    return [("audit verify", found.records / found.seconds, "rows/s")]


def _loop(work: Callable[[], object]) -> float:
    """CPU microseconds of one `work`, without the loop around it."""
    count = 10
    while _timed(work, count) < 0.02:
        count *= 2
    empty = _timed(_nothing, count)
    return (median(_timed(work, count) for _ in range(ROUNDS)) - empty) / count * 1e6


def _timed(work: Callable[[], object], count: int) -> float:
    began = time.thread_time()
    for _ in range(count):
        work()
    return time.thread_time() - began


def _nothing() -> None:
    pass


async def _each(work: Callable[[], Awaitable[object]], count: int = 2000) -> float:
    """CPU microseconds of one awaited `work`, one after the other."""
    rounds = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        for _ in range(count):
            await work()
        rounds.append((time.thread_time() - began) / count * 1e6)
    return median(rounds)


async def _together(work: Callable[[int], Awaitable[object]], count: int = 150) -> float:
    """CPU microseconds of this process for one awaited `work`, several at a time."""

    async def several() -> None:
        for number in range(count):
            await work(number)

    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        await asyncio.gather(*(several() for _ in range(CONCURRENT)))
        rounds.append((time.process_time() - began) / count / CONCURRENT * 1e6)
    return median(rounds)
