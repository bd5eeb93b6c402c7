"""Stops a running call whose client has gone, unless the call has effects."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from msil_mcp.mcp.exchange import Exchange
from msil_mcp.mcp.http import Receive

GRACE_SECONDS: Final = 0.1
"""Most calls are over by then and never pay for a watching task."""


class DisconnectWatch:
    """`async with` around a call: cancels it on disconnect; `was_cancelled` then says so."""

    def __init__(self, receive: Receive, exchange: Exchange) -> None:
        self._receive = receive
        self._exchange = exchange
        self._running = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.was_cancelled = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(GRACE_SECONDS, self._start)
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        if self._timer is not None:
            self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
        if not self.was_cancelled or self._running is None:
            return False
        if error is None:
            # The call ended in the same turn; let the cancellation in flight land here.
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        self._running.uncancel()
        return isinstance(error, asyncio.CancelledError)

    def cancel(self) -> None:
        """Stop the call unless it has effects already."""
        if self._running is not None and not self._exchange.is_shielded:
            self.was_cancelled = True
            self._running.cancel()

    def _start(self) -> None:
        self._watcher = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._exchange.survives_disconnect:
            self.cancel()
