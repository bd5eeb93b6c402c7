"""`msil-mcp doctor` finds what usually goes wrong and says what to do."""

from pathlib import Path

import pytest

from commands import Commands, commands_on
from running import Product, free_port


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return next(commands_on("", tmp_path, monkeypatch))


def test_an_empty_directory_is_no_problem(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", str(free_port()))
    said = cli.run("doctor")
    assert "no tool is in force" not in said
    assert "problem" not in said


def test_a_database_that_is_away_is_named(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    said = cli.run("doctor", code=1)
    assert "docker start" in said
    assert "REDIS_URL" in said


def test_another_program_on_the_port_explains_the_missing_metrics(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, booking_url: str
) -> None:
    monkeypatch.setenv("PORT", booking_url.rsplit(":", 1)[1])
    said = cli.run("doctor", code=1)
    assert "/metrics answers 404" in said


def test_a_running_server_is_ready(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, shared_product: Product
) -> None:
    monkeypatch.setenv("PORT", str(shared_product.settings.port))
    assert "is ready" in cli.run("doctor")
