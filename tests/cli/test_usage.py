"""`msil-mcp usage` shows what REST shows, in a table or as JSON."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from commands import Commands, commands_on
from databases import Templates
from msil_mcp.chat.ledger import Bill, Booking, book
from msil_mcp.db.database import Database, database_url
from msil_mcp.llm.usage import Cost, TokenUsage
from msil_mcp.settings import Settings


@pytest.fixture(params=["sqlite", "postgresql"])
def cli(
    request: pytest.FixtureRequest,
    templates: Templates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Commands]:
    with templates.clone(request.param) as url:
        for commands in commands_on(url, tmp_path, monkeypatch):
            asyncio.run(take())
            yield commands


async def take() -> None:
    """Asha takes something through each door, somebody else a little."""
    database = Database(database_url(Settings(_env_file=None)))
    bill = Bill()
    bill.ask("gpt-4o-mini")
    tokens = TokenUsage(prompt=1_200, cached=200, completion=34)
    bill.answered(model="gpt-4o-mini", tokens=tokens, cost=Cost(Decimal("0.0125")))
    bill.ask("ollama:llama3")
    bill.answered(model="ollama:llama3", tokens=tokens, cost=Cost(None))
    turn = Booking(model="ollama:llama3", turns=1)
    async with database.unit_of_work() as session:
        for user_id, door in (("user:7", "chat"), ("user:7", "openai"), ("key:2", "openai")):
            await book(session, user_id=user_id, door=door, bookings=[*bill.due, turn])
    await database.close()


def test_usage_is_a_table_with_its_total(cli: Commands) -> None:
    lines = cli.run("usage", "--by", "user", "--by", "door").splitlines()
    heads = "USER DOOR TURNS REQUESTS INPUT TOKENS CACHED OUTPUT TOKENS COST USD"
    assert " ".join(lines[0].split()) == heads
    assert [line.split() for line in lines[1:5]] == [
        ["key:2", "openai", "1", "2", "2,400", "400", "68", "0.0125"],
        ["user:7", "chat", "1", "2", "2,400", "400", "68", "0.0125"],
        ["user:7", "openai", "1", "2", "2,400", "400", "68", "0.0125"],
        ["total", "3", "6", "7,200", "1,200", "204", "0.0375"],
    ]
    assert lines[5].startswith("3 requests have no known price")


def test_usage_of_one_user_says_what_is_left(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "has no daily budget; today 4,936 tokens" in cli.run("usage", "--user", "user:7")
    monkeypatch.setenv("MSIL_CHAT_DAILY_TOKENS", "5000")
    monkeypatch.setenv("MSIL_CHAT_DAILY_COST_USD", "0.02")
    said = cli.run("usage", "--user", "user:7", "--model", "gpt-4o-mini")
    assert "64 of 5,000 tokens are left to user:7 today." in said
    assert "$0.00 of $0.02 are left to user:7 today." in said
    found = cli.json("usage", "--user", "user:7", "--by", "model")
    assert (found["from"] < found["to"], found["by"]) == (True, ["model"])
    assert [row["model"] for row in found["items"]] == ["gpt-4o-mini", "ollama:llama3"]
    assert found["budget"]["tokens"] == {"limit": 5000, "used": 4936, "left": 64}


def test_what_is_left_out_is_said_and_mistakes_are_one_line(cli: Commands) -> None:
    assert "There are more rows" in cli.run("usage", "--by", "user", "--limit", "1")
    assert cli.run("usage", "--to", "2025-01-01") == (
        "No model was asked from 2024-12-03 to 2025-01-01.\n"
    )
    for wrong in (("--by", "year"), ("--from", "yesterday")):
        assert cli.run("usage", *wrong, code=2).startswith("error: ")
