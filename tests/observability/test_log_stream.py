import io
import os
import threading
from typing import BinaryIO

import pytest
from typing_extensions import override

from msil_mcp.observability import log_stream
from msil_mcp.observability.log_stream import LogStream


class Stalled(io.RawIOBase):
    """A reader that takes nothing until it is released, as a full pipe does."""

    def __init__(self) -> None:
        self.written = b""
        self.reached = threading.Event()
        self.released = threading.Event()

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        self.reached.set()
        self.released.wait(10)
        self.written += data
        return len(data)


def open_stream(target: BinaryIO) -> LogStream:
    return LogStream(target, tell_dropped=lambda count: b"dropped %d" % count)


def test_lines_arrive_in_order_without_being_flushed() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        stream = open_stream(writer)
        for number in range(100):
            stream.info(b"line %d" % number)
        assert [reader.readline() for _ in range(100)] == [b"line %d\n" % n for n in range(100)]
        stream.close()


def test_a_stalled_reader_stops_nobody_and_lost_lines_are_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_stream, "MAX_WAITING_LINES", 10)
    target = Stalled()
    stream = open_stream(target)  # type: ignore[arg-type]  # raw streams write bytes as well
    stream.warning(b"first")
    assert target.reached.wait(10)
    for number in range(25):
        stream.info(b"%d" % number)
    target.released.set()
    stream.close()
    waiting = b"".join(b"%d\n" % number for number in range(10))
    assert target.written == b"first\n" + waiting + b"dropped 15\n"


def test_a_reader_that_went_away_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb", buffering=0) as writer:
        stream = open_stream(writer)  # type: ignore[arg-type]  # raw streams write bytes as well
        stream.warning(b"into the void")
        stream.close()


def test_lines_logged_while_the_process_ends_are_written() -> None:
    target = io.BytesIO()
    stream = open_stream(target)
    stream.close()
    stream.info(b"goodbye")
    assert target.getvalue() == b"goodbye\n"


def test_redirecting_leaves_earlier_lines_where_they_belong() -> None:
    before, after = io.BytesIO(), io.BytesIO()
    stream = open_stream(before)
    stream.info(b"one")
    stream.redirect(after)
    stream.info(b"two")
    stream.close()
    assert (before.getvalue(), after.getvalue()) == (b"one\n", b"two\n")
