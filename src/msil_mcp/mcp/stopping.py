"""Hears that the process is to stop, before the server begins to wait for open answers.

A server stops only once every answer is complete, and a standing stream completes only when it is
told to. So the streams have to learn of the signal, not of the end that it leads to.
"""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def told_to_stop(tell: Callable[[], None]) -> Iterator[None]:
    """Within, `tell` is called on the event loop at the first signal; the server's handler follows.

    Off the main thread there are no signals to hear, and nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, stack: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)
        following = before[signal.Signals(number)]
        if callable(following):
            following(number, stack)

    for number, handler in before.items():
        # What ignores a signal, or was not installed by Python, stays as it is.
        if callable(handler):
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is handle:
                signal.signal(number, handler)
