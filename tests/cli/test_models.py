"""`msil-mcp scripted-model` serves a model that any client of OpenAI's protocol can talk to."""

import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest
from openai import AsyncOpenAI

from databases import command
from running import free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def served() -> Iterator[tuple[str, str]]:
    """The base URL of the running command, and the line it said."""
    port = free_port()
    arguments = ["-m", "msil_mcp", "scripted-model", "--port", str(port), "--pace", "0"]
    with subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        try:
            said = running.stdout.readline()
            next(line for line in running.stderr if "running on" in line)
            yield f"http://127.0.0.1:{port}/v1", said
        finally:
            running.terminate()
            running.communicate(timeout=20)


async def test_the_scripted_model_says_how_to_use_it_and_answers(served: tuple[str, str]) -> None:
    url, said = served
    assert f"OPENAI_BASE_URL={url} " in said
    async with AsyncOpenAI(base_url=url, api_key="none") as model:
        listed = [each.id async for each in model.models.list()]
        answer = await model.chat.completions.create(
            model="msil-scripted", messages=[{"role": "user", "content": "hello"}]
        )
    assert "msil-scripted" in listed
    assert (answer.choices[0].message.content or "").startswith("Hello!")


def test_a_taken_port_is_said_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = command("scripted-model", "--port", port, env={})
    assert done.returncode == 1
    assert done.stdout == ""
    assert f"port {port}" in done.stderr
    assert "--port" in done.stderr
