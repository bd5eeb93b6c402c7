"""A server that is told to stop: nothing that stands open may keep it."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bare_client import MODERN, Talk
from running import free_port

TESTS = Path(__file__).parents[1]
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"


@pytest.fixture
def process() -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The endpoint under uvicorn in a process of its own, as operators run it."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "--factory", "conformance.fixture_app:create_app"]
    started = subprocess.Popen(
        [*command, "--port", str(port)], cwd=TESTS, stderr=subprocess.PIPE, text=True
    )
    assert started.stderr is not None
    for line in started.stderr:
        if "running on" in line:
            break
    with started:
        yield f"http://127.0.0.1:{port}/mcp", started
        started.kill()


def begun(url: str, **capabilities: Any) -> Talk:
    talk = Talk(url, "2025-11-25", capabilities)
    talk.begin()
    return talk


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_standing_streams_and_questions_end_with_the_process(
    process: tuple[str, "subprocess.Popen[str]"], told: signal.Signals
) -> None:
    url, server = process
    listener, session, asked = Talk(url, MODERN), begun(url), begun(url, elicitation={})
    listen = listener.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
    question = asked.request("tools/call", {"name": "test_elicitation", "arguments": {}})

    with (
        listener.stream(listen) as listened,
        session.listen() as stood,
        asked.stream(question) as waiting,
    ):
        notices, events, answers = listened.messages(), stood.events(), waiting.messages()
        next(notices), next(events), next(answers)
        server.send_signal(told)
        farewell, refusal = next(notices), next(answers)

        assert farewell["result"]["_meta"][SUBSCRIPTION] == listen["id"]
        assert "stopping" in refusal["error"]["message"]
        assert list(events) == []
    assert server.wait(10) is not None
