"""`msil-mcp conversations` writes what there is to learn from."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from chat.conversations import answer, say, user
from commands import Commands, commands_on
from databases import Templates
from msil_mcp.chat.session_service import SessionService
from msil_mcp.db.database import Database, database_url
from msil_mcp.identity.authentication import cli_principal
from msil_mcp.settings import Settings

EXPORT = ("conversations", "export-finetuning")


@pytest.fixture
def cli(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Commands]:
    with templates.clone("sqlite") as url:
        for commands in commands_on(url, tmp_path, monkeypatch):
            asyncio.run(converse())
            yield commands


async def converse() -> None:
    database = Database(database_url(Settings(_env_file=None)))
    service, who = SessionService(database), cli_principal()
    chat = await service.create(who)
    _, praised, _, blamed = await say(
        service, who, chat, user("Call 9876543210"), answer("Calling."), user("No"), answer("Why?")
    )
    await service.rate(who, chat.id, praised.id, rating="up", comment=None)
    await service.rate(who, chat.id, blamed.id, rating="down", comment=None)
    await database.close()


def test_examples_are_written_to_a_file_or_to_standard_output(cli: Commands) -> None:
    [example] = map(json.loads, cli.run(*EXPORT).splitlines())
    assert [message["role"] for message in example["messages"]] == ["system", "user", "assistant"]
    assert "9876543210" not in example["messages"][1]["content"]
    assert cli.run(*EXPORT, "--rating", "down", "-o", "bad.jsonl") == ""
    [bad] = map(json.loads, (cli.folder / "bad.jsonl").read_text().splitlines())
    assert bad["messages"][-1]["content"] == "Why?"
    assert cli.run(*EXPORT, "--to", "2025-01-01") == ""
    assert "chat.exported" in cli.run("audit", "search")


def test_a_wrong_rating_is_one_line(cli: Commands) -> None:
    assert cli.run(*EXPORT, "--rating", "5", code=2) == "error: --rating is up or down\n"
