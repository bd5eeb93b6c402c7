"""One JSON line per event on stdout, from structlog and from every library that uses logging."""

import json
import logging
import sys
import time
import traceback
from typing import Any, BinaryIO, Final

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger
from typing_extensions import override

from msil_mcp.observability.context import correlation_id, trace_ids
from msil_mcp.observability.log_stream import LogStream
from msil_mcp.observability.masking import MASK, mask, mask_text, names_a_secret
from msil_mcp.settings import Settings

QUIET_LIBRARIES: Final = (
    "aiohttp",
    "asyncio",
    "httpcore",
    "opentelemetry",
    "sqlalchemy",
    "urllib3",
)
"""Heard from warning on: at info and below they repeat what our own events say."""

UVICORN: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")

_encode = msgspec.json.Encoder(enc_hook=str).encode
_levels = {"warn": "warning", "exception": "error", "fatal": "critical"}
_second: tuple[int, str] = (0, "")
_stream: LogStream | None = None
_processors: list[Processor] = []
"""One list for good: loggers keep the one they first saw, and tests capture events through it."""


def configure_logging(settings: Settings, *, stream: BinaryIO | None = None) -> LogStream:
    """Send the log of this process to stdout, or to `stream`; may be called again to change that.

    Call it after uvicorn has configured its own logging, which it replaces. Close the stream it
    returns when the process is done, or leave that to the interpreter's exit.
    """
    global _stream
    target = stream or sys.stdout.buffer
    if _stream is None:
        _stream = LogStream(target, tell_dropped=_render_dropped)
    else:
        _stream.redirect(target)
    _processors[:] = [render]
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    structlog.configure(
        processors=_processors,
        wrapper_class=structlog.make_filtering_bound_logger(level),
        context_class=dict,
        logger_factory=_Attached(_stream),
        cache_logger_on_first_use=True,
    )
    _capture_standard_logging(_stream, level=level)
    return _stream


def render(_logger: WrappedLogger | None, method: str, event: EventDict) -> bytes:
    """The JSON line, without its end, of an event; it never raises and never holds a secret."""
    line: dict[str, Any] = {
        "timestamp": _timestamp(),
        "level": _levels.get(method, method),
        "event": event.pop("event", ""),
    }
    correlation = correlation_id.get()
    if correlation:
        line["correlation_id"] = correlation
    ids = trace_ids.get()
    if ids is not None:
        line["trace_id"], line["span_id"] = ids
    error = event.pop("exc_info", None)
    for key, value in event.items():
        kind = type(value)
        if names_a_secret(key):
            line[key] = MASK if value else value
        elif kind is str:
            line[key] = mask_text(value)
        elif kind is int or kind is float or kind is bool or value is None:
            line[key] = value
        else:
            line[key] = mask(value)
    if error:
        line["exception"] = mask_text(_traceback(error))
    try:
        return _encode(line)
    except (TypeError, ValueError, OverflowError, RecursionError):
        # Lone surrogates and integers past 64 bits: rare, and still to be logged.
        return json.dumps(line, default=repr).encode()


def _render_dropped(count: int) -> bytes:
    return render(None, "warning", {"event": "log_lines_dropped", "count": count})


def _timestamp() -> str:
    global _second  # the date is formatted once a second, not once a line
    now = time.time()
    whole = int(now)
    second, text = _second
    if second != whole:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        _second = (whole, text)
    return f"{text}.{int((now - whole) * 1_000_000):06d}Z"


def _traceback(error: Any) -> str:
    if isinstance(error, BaseException):
        found: BaseException | None = error
    elif isinstance(error, tuple):
        found = error[1]
    else:
        found = sys.exc_info()[1]
    if found is None:
        return ""
    return "".join(traceback.format_exception(found)).rstrip()


class _Attached:
    """Hands every logger the one stream."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream

    def __call__(self, *_args: object) -> LogStream:
        return self._stream


class _StandardHandler(logging.Handler):
    """Records of the logging module, rendered like our own events."""

    def __init__(self, stream: LogStream) -> None:
        super().__init__()
        self._stream = stream

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = str(record.msg)
        event: EventDict = {"event": mask_text(message.strip()), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        line = render(None, record.levelname.lower(), event)
        if record.levelno >= logging.WARNING:
            self._stream.warning(line)
        else:
            self._stream.info(line)


def _capture_standard_logging(stream: LogStream, *, level: int) -> None:
    root = logging.getLogger()
    for handler in list(root.handlers):
        # What `logging.basicConfig` prints as text would come out twice.
        if isinstance(handler, _StandardHandler) or type(handler) is logging.StreamHandler:
            root.removeHandler(handler)
    root.addHandler(_StandardHandler(stream))
    root.setLevel(level)
    for name in UVICORN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.NOTSET)
    # Without a handler in reach uvicorn does not even format its access lines; ours replace them.
    logging.getLogger("uvicorn.access").propagate = False
    for name in QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    logging.captureWarnings(True)
