"""`msil-mcp doctor` finds what usually goes wrong and says what to do."""

import subprocess
import sys
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


def test_a_package_that_is_missing_is_named(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("msil_mcp.cli.doctor.requires", lambda _name: ["never-made>=1", "redis<9"])
    said = cli.run("doctor", code=1)
    assert "packages: never-made not installed" in said
    assert "pip install -r requirements.txt" in said


@pytest.mark.parametrize("module", ["typer", "redis"])
def test_where_even_doctor_cannot_be_loaded_it_says_what_to_install(module: str) -> None:
    program = f"import sys; sys.modules[{module!r}] = None; sys.argv[1:] = ['doctor']"
    program += "; from msil_mcp.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {module} is not installed in ")
    assert "pip install -r requirements.txt" in done.stderr


def test_a_database_that_is_away_is_named(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@127.0.0.1:1/none")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")
    said = cli.run("doctor", code=1)
    assert "docker start" in said
    assert "REDIS_URL" in said


def test_a_read_replica_that_is_away_is_named(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres@127.0.0.1/postgres")
    monkeypatch.setenv("DATABASE_READ_URL", "postgresql://postgres:hidden@127.0.0.1:1/none")
    said = cli.run("doctor", code=1)
    assert "read replica: postgresql+psycopg://postgres:***@127.0.0.1:1/none" in said
    assert "DATABASE_READ_URL" in said


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
