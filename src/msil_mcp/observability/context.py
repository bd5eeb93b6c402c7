"""What every log line, audit row, span and upstream request of one request has in common."""

import re
from contextvars import ContextVar
from typing import Final

from msil_mcp.sealing import random_hex

CORRELATION_HEADER: Final = "X-Correlation-ID"
CORRELATION_HEADER_BYTES: Final = b"x-correlation-id"

_ACCEPTED = re.compile(rb"[A-Za-z0-9._-]{1,128}")

correlation_id: ContextVar[str] = ContextVar("correlation_id", default="")
"""Id of the request being served; empty outside of one."""

trace_ids: ContextVar[tuple[str, str] | None] = ContextVar("trace_ids", default=None)
"""Trace and span id of the running span, in hexadecimal; None while tracing is off."""


def new_correlation_id() -> str:
    """128 random bits in hexadecimal."""
    return random_hex(16)


def accept_correlation_id(value: bytes) -> str:
    """The id a caller sent, or a new one when it could not be echoed and logged safely."""
    if _ACCEPTED.fullmatch(value) is None:
        return new_correlation_id()
    return value.decode("ascii")
