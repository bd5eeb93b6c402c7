"""The log of a real process, as whoever reads its stdout gets it."""

import json
import os
import re
import signal
import subprocess
import sys
import textwrap
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from observability.serving import free_port

TESTS = Path(__file__).parents[1]

SCRIPT = """
    import logging, warnings
    import structlog
    from msil_mcp.observability.context import correlation_id, trace_ids
    from msil_mcp.observability.logging import configure_logging
    from msil_mcp.settings import Settings

    configure_logging(Settings(_env_file=None, log_level="info"))
    configure_logging(Settings(_env_file=None, log_level="info"))
    log = structlog.get_logger()
    log.info("outside_of_a_request", prompt_tokens=12, nothing=None)
    correlation_id.set("abc-123")
    trace_ids.set(("a" * 32, "b" * 16))
    log.info("inside", api_key="msil_zz", headers={"Authorization": "Basic abc", "n": [1, 2.5]})
    log.debug("too_quiet")
    log.info("odd", surrogate="\\ud800", huge=2**80, strange=object, path="msil_0123456789abcdefgh")
    try:
        raise ValueError("postgresql://app:s3cret@db/msil does not answer")
    except ValueError:
        log.exception("failed", attempt=2)
        logging.getLogger("some.library").exception("library %s", "failed")
    logging.getLogger("some.library").info("said %d %s", 7, "Bearer abcdefghijk")
    logging.getLogger("sqlalchemy.engine").info("select 1")
    logging.getLogger("uvicorn.access").info("GET /secret?token=1")
    warnings.warn("old ways", DeprecationWarning, stacklevel=1)
    log.info("last")
"""


def lines_of(output: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.decode().splitlines()]


@pytest.fixture(scope="module")
def lines() -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", textwrap.dedent(SCRIPT)],
        capture_output=True,
        check=True,
    )
    assert done.stderr == b""
    return lines_of(done.stdout)


def one(lines: list[dict[str, Any]], event: str) -> dict[str, Any]:
    (found,) = (line for line in lines if line["event"] == event)
    return found


def test_every_line_has_a_utc_time_a_level_and_an_event(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        assert list(line)[:3] == ["timestamp", "level", "event"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["timestamp"])
    assert one(lines, "outside_of_a_request")["prompt_tokens"] == 12


def test_ids_of_the_request_are_in_its_lines_and_in_no_others(lines: list[dict[str, Any]]) -> None:
    assert "correlation_id" not in one(lines, "outside_of_a_request")
    inside = one(lines, "inside")
    assert inside["correlation_id"] == "abc-123"
    assert (inside["trace_id"], inside["span_id"]) == ("a" * 32, "b" * 16)


def test_secrets_are_masked(lines: list[dict[str, Any]]) -> None:
    inside = one(lines, "inside")
    assert inside["api_key"] == "***"
    assert inside["headers"] == {"Authorization": "***", "n": [1, 2.5]}
    assert one(lines, "odd")["path"] == "***"
    assert "s3cret" not in json.dumps(lines)


def test_values_json_cannot_hold_are_logged_anyway(lines: list[dict[str, Any]]) -> None:
    odd = one(lines, "odd")
    assert odd["huge"] == 2**80
    assert odd["strange"] == "<class 'object'>"


def test_exceptions_carry_their_stack(lines: list[dict[str, Any]]) -> None:
    failed = one(lines, "failed")
    assert failed["level"] == "error"
    assert failed["exception"].startswith("Traceback")
    assert "ValueError: postgresql://***@db/msil" in failed["exception"]
    assert "Traceback" in one(lines, "library failed")["exception"]


def test_libraries_log_the_same_way_and_chatty_ones_less(lines: list[dict[str, Any]]) -> None:
    said = one(lines, "said 7 Bearer ***")
    assert (said["logger"], said["level"]) == ("some.library", "info")
    assert any("old ways" in line["event"] for line in lines)
    events = [line["event"] for line in lines]
    assert not {"too_quiet", "select 1", "GET /secret?token=1"} & set(events)
    assert events[-1] == "last"


APPLICATION = """
    from msil_mcp.observability.logging import configure_logging
    from msil_mcp.settings import Settings
    from observability.serving import watched_app

    settings = Settings(_env_file=None)
    configure_logging(settings)
    watched, app = watched_app(settings)
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The log of `python -m uvicorn`, with its own defaults, over three requests."""
    directory = tmp_path_factory.mktemp("served")
    (directory / "watched_main.py").write_text(textwrap.dedent(APPLICATION))
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "watched_main:app", "--port", str(port)],
        cwd=directory,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(directory), str(TESTS)])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    started: list[bytes] = []
    for line in process.stdout:
        started.append(line)
        if b"running on" in line:
            break
    for path in ("/health", "/api/chat/sessions/9?token=do-not-log", "/nowhere/at/all"):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}{path}", headers={"X-Correlation-ID": "from-the-client"}
        )
        try:
            urllib.request.urlopen(request).close()
        except urllib.error.HTTPError as error:
            error.close()
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=20)
    assert b"Traceback" not in errors
    return lines_of(b"".join(started) + output)


def test_each_request_is_one_line(served: list[dict[str, Any]]) -> None:
    requests = [line for line in served if "duration_ms" in line]
    assert [(line["method"], line["endpoint"], line["status"]) for line in requests] == [
        ("GET", "/health", 200),
        ("GET", "/api/chat/sessions/{session_id}", 200),
        ("GET", "unmatched", 404),
    ]
    assert all(line["event"] == "http_request" for line in requests)
    assert all(line["correlation_id"] == "from-the-client" for line in requests)
    assert sum("/health" in json.dumps(line) for line in served) == 1


def test_neither_query_strings_nor_raw_paths_are_logged(served: list[dict[str, Any]]) -> None:
    assert "do-not-log" not in json.dumps(served)
    assert "nowhere" not in json.dumps(served)


def test_the_server_itself_logs_as_json(served: list[dict[str, Any]]) -> None:
    assert any(
        line["event"].startswith("Uvicorn running") and line["logger"] == "uvicorn.error"
        for line in served
    )
