"""Rates shared by replicas through Redis or Valkey; imported only where one is configured."""

import time
from collections.abc import Sequence
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from msil_mcp.governance.limits import Bucket, LocalLimiter

STRICTER: Final = 0.5
REDIS_SECONDS: Final = 0.25
REDIS_RETRY_SECONDS: Final = 1.0

# KEYS: buckets. ARGV: for each the interval and the tolerance, in microseconds of Redis' clock.
# Takes from all buckets or from none; answers the longest wait in microseconds, and its bucket.
GCRA_SCRIPT: Final = """
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local wait, worst, tats = 0, 0, {}
for i, key in ipairs(KEYS) do
  local interval, tolerance = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local tat = math.max(tonumber(redis.call('GET', key) or 0), now)
  if tat - now - tolerance > wait then wait, worst = tat - now - tolerance, i end
  tats[i] = tat + interval
end
if worst > 0 then return {math.ceil(wait), worst} end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.0f', tats[i]), 'PX',
    math.ceil((tats[i] - now) / 1000) + 1)
end
return {0, 0}
"""

log = structlog.get_logger()


class RedisLimiter:
    """Rates shared by every replica; falls back to stricter local ones while Redis is away."""

    def __init__(self, url: str) -> None:
        self.redis = Redis.from_url(
            url, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS
        )
        self._script = self.redis.register_script(GCRA_SCRIPT)
        self._fallback = LocalLimiter(share=STRICTER)
        self._away_until = 0.0

    async def take(self, buckets: Sequence[Bucket]) -> tuple[Bucket, float] | None:
        """Take from all or from none, in one round trip."""
        if time.monotonic() < self._away_until:
            return await self._fallback.take(buckets)
        arguments: list[float] = []
        for bucket in buckets:
            arguments += (bucket.interval * 1e6, bucket.tolerance * 1e6)
        try:
            wait, worst = await self._script(
                keys=[f"msil:rate:{b.key}" for b in buckets], args=arguments
            )
        except (RedisError, OSError) as error:
            self._away_until = time.monotonic() + REDIS_RETRY_SECONDS
            log.warning("shared_limits_unavailable", error=type(error).__name__)
            return await self._fallback.take(buckets)
        return (buckets[worst - 1], wait / 1e6) if worst else None

    async def healthy(self) -> bool:
        """Whether Redis answers."""
        return await self.trouble() is None

    async def trouble(self) -> str | None:
        """Why Redis does not answer; None when it does."""
        try:
            await self.redis.ping()
        except (RedisError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        return None

    def connections_active(self) -> int:
        """Connections in use now."""
        counts = self.redis.connection_pool.get_connection_count()
        return sum(count for count, state in counts if "used" in state.values())

    async def close(self) -> None:
        """Release the connections."""
        await self.redis.aclose()
