"""Log lines on their way to a byte stream, off the thread that logs."""

import atexit
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from typing import BinaryIO, Final

GATHER_SECONDS: Final = 0.05
CLOSE_SECONDS: Final = 5.0
MAX_WAITING_LINES: Final = 50_000


class LogStream:
    """Gathers lines and writes them from one thread, so that a slow reader cannot stop a request.

    Lines of level warning and above are written at once, the others within 50 ms. When the reader
    of the stream has stalled and 50,000 lines wait, further ones are dropped and counted; the
    count becomes a line, made by `tell_dropped`, as soon as there is room. The methods are those
    structlog calls.
    """

    def __init__(self, stream: BinaryIO, *, tell_dropped: Callable[[int], bytes]) -> None:
        self._stream = stream
        self._tell_dropped = tell_dropped
        self._lines: deque[bytes] = deque()
        self._dropped = 0
        self._closed = False
        self._writing = threading.Lock()
        self._some = threading.Event()
        self._now = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-stream", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def redirect(self, stream: BinaryIO) -> None:
        """Write what waits where it belongs, and everything after that to another stream."""
        self.flush()
        self._stream = stream

    def info(self, line: bytes) -> None:
        """Take a line, without its end, to be written soon."""
        lines = self._lines
        if len(lines) >= MAX_WAITING_LINES:
            self._dropped += 1
            return
        lines.append(line)
        if self._closed:
            self.flush()
        elif not self._some.is_set():
            self._some.set()

    def warning(self, line: bytes) -> None:
        """Take a line to be written at once."""
        self.info(line)
        self._now.set()

    debug = msg = info
    warn = error = critical = exception = fatal = warning

    def flush(self) -> None:
        """Write everything that waits before returning."""
        with self._writing:
            self._write_waiting()

    def close(self) -> None:
        """Write what waits and stop the thread; later lines are written as they come."""
        if self._closed:
            return
        self._closed = True
        self._some.set()
        self._now.set()
        atexit.unregister(self.close)
        self._thread.join(timeout=CLOSE_SECONDS)
        if not self._thread.is_alive():
            self.flush()

    def _run(self) -> None:
        while not self._closed:
            self._some.wait()
            self._now.wait(GATHER_SECONDS)
            self._now.clear()
            self._some.clear()
            self.flush()

    def _write_waiting(self) -> None:
        lines = self._lines
        waiting = [lines.popleft() for _ in range(len(lines))]
        if self._dropped:
            waiting.append(self._tell_dropped(self._dropped))
            self._dropped = 0
        if not waiting:
            return
        waiting.append(b"")
        # Nobody is left to be told when the reader of our log has gone.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(b"\n".join(waiting))
            self._stream.flush()
