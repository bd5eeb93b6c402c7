"""Waiting for what must become true soon, and no longer than that."""

import asyncio
import time
from collections.abc import Awaitable, Callable


async def eventually(
    holds: Callable[[], Awaitable[bool]], *, within: float, every: float = 0.02
) -> float:
    """The seconds it took; fails when it took longer."""
    started = time.monotonic()
    while not await holds():
        passed = time.monotonic() - started
        assert passed < within, f"not so after {passed:.1f} s: {holds.__doc__ or holds.__name__}"
        await asyncio.sleep(every)
    return time.monotonic() - started
