"""The model libraries are loaded when the setting says, and never before."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from databases import Templates
from msil_mcp.llm.loading import Loading

SCRIPT = """
import asyncio, sys
from databases import settings_for
from running import product

def loaded():
    return "pydantic_ai" in sys.modules

def ask(server, path, role="user", **options):
    return asyncio.run(server.request("GET", path, role=role, **options)).status

def warmed(server):
    async def wait():
        tasks = [task for task in asyncio.all_tasks() if task.get_name() == "chat-warm"]
        await asyncio.gather(*tasks)
        return len(tasks)
    return server.server.submit(wait())

settings = settings_for({url!r}, warm_models={when!r}, openai_model="scripted")
with product(settings, booking_url="http://127.0.0.1:9") as server:
    assert not loaded(), "before anybody came"
    assert ask(server, "/ready", role=None) == 200
    assert ask(server, "/api/chat/sessions", role=None) == 401
    assert ask(server, "/api/tools") == 200
    assert not loaded(), "by other requests"
    if {when!r} == "chat":
        assert ask(server, "/api/chat/sessions") == 200
    server.app.state.chat.parts.llm.hurry()
    began = warmed(server)
    assert loaded() == ({when!r} != "never")
    assert began == ({when!r} != "never")
    if {when!r} == "never":
        assert ask(server, "/api/chat/sessions") == 200
        assert not loaded(), "by opening the chat"
    else:
        assert server.app.state.chat.parts.llm._built, "no model is ready"
        assert "msil_mcp.chat.answering" in sys.modules
"""


@pytest.mark.parametrize("when", ["start", "chat", "never"])
def test_libraries_are_loaded_when_the_setting_says(templates: Templates, when: str) -> None:
    with templates.clone("sqlite") as url:
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT.format(url=url, when=when)],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parent.parent,
            timeout=60,
        )
    assert done.returncode == 0, done.stderr


def test_loading_leaves_nothing_behind_and_remembers_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one_module", "another_module"):
        (tmp_path / f"{name}_of_loading.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    finders = list(sys.meta_path)
    loading = Loading()
    names = ("one_module_of_loading", "another_module_of_loading")
    loader = threading.Thread(target=loading.load, args=(names,))
    loader.start()
    loading.hurry()
    loader.join(10)
    assert loading.has(names)
    assert not loading.has([*names, "no_such_module_at_all"])
    with pytest.raises(ModuleNotFoundError):
        loading.load(["no_such_module_at_all"])
    assert sys.meta_path == finders
