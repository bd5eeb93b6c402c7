"""Rates by GCRA, per caller, per tool and for the whole service; then concurrency per tool.

Redis shares the rates between replicas. Without it each process limits by itself; when a
configured Redis is away, at half the rate, so that an outage does not multiply what passes.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

from msil_mcp.errors import TooManyRequests
from msil_mcp.observability import metrics
from msil_mcp.settings import Settings
from msil_mcp.tools.call import ToolCall, ToolInvoker, ToolResult, refused

MAX_BUCKETS: Final = 100_000


class RateLimited(TooManyRequests):
    """A rate was reached: the caller's, the tool's, or that of the whole service."""

    def __init__(self, limit: metrics.Limit, *, retry_after: float) -> None:
        super().__init__(case=limit, seconds=max(1, round(retry_after)), retry_after=retry_after)


class ToolBusy(TooManyRequests):
    """Too many calls of one tool are running."""

    slug = "tool_busy"

    def __init__(self, name: str) -> None:
        super().__init__(name=name, retry_after=1)


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """One rate to hold: `rate` calls a second, `burst` at once above it."""

    key: str
    limit: metrics.Limit
    rate: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds one call takes from the bucket."""
        return 1 / self.rate

    @property
    def tolerance(self) -> float:
        """Seconds the bucket may run ahead."""
        return (self.burst - 1) / self.rate


class Limiter(Protocol):
    """Takes one call from every bucket, or says how long to wait."""

    async def take(self, buckets: Sequence[Bucket]) -> tuple[Bucket, float] | None:
        """None when taken; else the bucket that is empty and the seconds to wait."""
        ...


class LocalLimiter:
    """Rates of this process alone; `share` below 1 makes them stricter."""

    def __init__(self, *, share: float = 1.0) -> None:
        self._share = share
        self._tats: dict[str, float] = {}

    async def take(self, buckets: Sequence[Bucket]) -> tuple[Bucket, float] | None:
        """Take from all or from none."""
        now = time.monotonic()
        tats = self._tats
        for bucket in buckets:
            wait = tats.get(bucket.key, now) - now - bucket.tolerance
            if wait > 1e-9:
                return bucket, wait
        if len(tats) > MAX_BUCKETS:
            self._tats = tats = {key: tat for key, tat in tats.items() if tat > now}
        for bucket in buckets:
            tat = tats.get(bucket.key, now)
            tats[bucket.key] = max(tat, now) + bucket.interval / self._share
        return None


class Limit:
    """Refuses calls above the rates, and above the concurrency of their tool."""

    def __init__(
        self,
        *,
        settings: Settings,
        limiter: Limiter,
        inner: ToolInvoker,
        on_limit: Callable[[metrics.Limit], None],
    ) -> None:
        self._limiter = limiter
        self._on_limit = on_limit
        self._inner = inner
        self._per_principal = settings.rate_per_principal
        self._per_tool = settings.rate_per_tool
        self._global = settings.rate_global
        self._burst = settings.rate_burst
        self._concurrency = settings.concurrency_per_tool
        self._running: dict[int, int] = {}

    def _buckets(self, call: ToolCall) -> list[Bucket]:
        buckets: list[Bucket] = []
        if self._per_principal:
            key = f"principal:{call.principal.id}"
            buckets.append(Bucket(key, "principal", self._per_principal, self._burst))
        if self._per_tool:
            key = f"tool:{call.tool.tool_id}"
            buckets.append(Bucket(key, "tool", self._per_tool, self._burst))
        if self._global:
            buckets.append(Bucket("global", "global", self._global, self._burst))
        return buckets

    async def invoke(self, call: ToolCall) -> ToolResult:
        """Pass on a call within the limits."""
        buckets = self._buckets(call)
        if buckets:
            empty = await self._limiter.take(buckets)
            if empty is not None:
                bucket, wait = empty
                self._on_limit(bucket.limit)
                return refused(RateLimited(bucket.limit, retry_after=wait), rule="limit")
        tool = call.tool.tool_id
        running = self._running.get(tool, 0)
        if running >= self._concurrency:
            self._on_limit("concurrency")
            return refused(ToolBusy(call.tool.name), rule="limit")
        self._running[tool] = running + 1
        try:
            return await self._inner.invoke(call)
        finally:
            self._running[tool] -= 1
