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


@contextmanager
def left_alone_first(tell: Callable[[], None], *, seconds: float) -> Iterator[None]:
    """Within, the first SIGTERM calls `tell` at once and goes on to the server `seconds` later.

    Whoever spreads requests needs that time to see that this process wants no more of them: the
    server stops listening as soon as it hears. A second signal, and Ctrl-C, do not wait.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    following = signal.getsignal(signal.SIGTERM)
    if not callable(following):
        yield
        return
    pass_on = following
    leaving: list[asyncio.TimerHandle] = []

    def leave() -> None:
        tell()
        leaving.append(loop.call_later(seconds, pass_on, signal.SIGTERM, None))

    def handle(_number: int, _stack: FrameType | None) -> None:
        # Later signals find this handler gone, and the server's own in its place.
        signal.signal(signal.SIGTERM, pass_on)
        loop.call_soon_threadsafe(leave)

    signal.signal(signal.SIGTERM, handle)
    try:
        yield
    finally:
        for timer in leaving:
            timer.cancel()
        if signal.getsignal(signal.SIGTERM) is handle:
            signal.signal(signal.SIGTERM, following)
