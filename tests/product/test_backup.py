"""Backups of the embedded database: taken while people work, put back whole or not at all."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chat.conversing import Conversation, opened
from commands import Commands, commands_on
from databases import SECRET, Templates, settings_for
from msil_mcp.db.alone import hold_alone
from msil_mcp.db.database import Database, database_url
from msil_mcp.db.migrate import HEAD, downgrade
from msil_mcp.main import metadata
from msil_mcp.sealing import KEY_FILE, make_secret
from msil_mcp.settings import Settings
from running import Product, furnish
from running import product as running_product

VEHICLE = {"registration_number": "MH12AB1234"}


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Commands]:
    """Commands on an empty data directory, whose key is a file in it."""
    for commands in commands_on("", tmp_path, monkeypatch):
        monkeypatch.delenv("MSIL_SECRET_KEY")
        monkeypatch.setenv("MSIL_DATA_DIR", str(tmp_path / "data"))
        yield commands


def bundles(cli: Commands) -> list[str]:
    return [bundle["name"] for bundle in cli.json("bundles", "list")]


def spoil(file: Path) -> None:
    file.write_bytes(b"what a failing disk leaves" * 1000)


def is_spoilt(file: Path) -> bool:
    return file.read_bytes().startswith(b"what a failing disk leaves")


async def conversed(product: Product) -> Conversation:
    talk = await opened(product)
    await talk.say("Which car is MH12AB1234?")
    called = await product.call("resolve_vehicle", VEHICLE)
    assert called.status == 200, called.body
    return talk


@pytest.mark.anyio
async def test_a_backup_beside_a_server_has_its_conversations_and_a_proven_trail(
    templates: Templates, booking_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with templates.clone("sqlite") as url:
        settings = settings_for(url)
        file = Path(database_url(settings).database or "")
        [cli] = commands_on(url, tmp_path, monkeypatch)
        keys = await furnish(settings, booking_url=booking_url)
        with running_product(settings, booking_url=booking_url, keys=keys) as product:
            talk = await conversed(product)
            before = await talk.messages()
            made = await asyncio.to_thread(cli.json, "backup", "copy.db")
            await talk.say("Forgotten: this comes after the backup")
            refused = await asyncio.to_thread(cli.run, "restore", "copy.db", code=1)
            assert "Stop it first" in refused
        assert (made["schema"], made["key_file"]) == (HEAD, None)
        spoil(file)
        restored = await asyncio.to_thread(cli.json, "restore", "copy.db")
        verified = await asyncio.to_thread(cli.json, "audit", "verify")
        with running_product(settings, booking_url=booking_url, keys=keys) as product:
            again = Conversation(product, talk.id)
            assert await again.messages() == before
            assert (await product.call("resolve_vehicle", VEHICLE)).status == 200
            found = await product.request("POST", "/api/audit/verify", role="auditor")
    assert verified["problem_count"] == 0
    assert verified["records"] > 2
    assert found.json["intact"] is True, found.body
    assert is_spoilt(Path(restored["previous"]))


def test_a_database_and_its_key_move_to_an_empty_directory(
    cli: Commands, booking_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.run("migrate")
    asyncio.run(furnish(Settings(_env_file=None), booking_url=booking_url))
    known = bundles(cli)
    made = cli.json("backup", "copy.db", "--with-key")
    for written in ("copy.db", made["key_file"]):
        assert os.name == "nt" or (cli.folder / written).stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("MSIL_DATA_DIR", str(cli.folder / "elsewhere"))
    assert "The previous" not in cli.run("restore", "copy.db")
    assert bundles(cli) == known
    moved = (cli.folder / "elsewhere" / KEY_FILE).read_text()
    assert moved == (cli.folder / "data" / KEY_FILE).read_text()
    assert cli.json("audit", "verify")["problem_count"] == 0
    assert cli.json("audit", "search")[0]["action"] == "database.restored"
    with closing(sqlite3.connect(cli.folder / "elsewhere" / "msil.db")) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE name LIKE 'backup%'")
        assert tables.fetchall() == []


def test_what_is_printed_says_where_the_key_is(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.run("bundles", "list")
    said = cli.run("backup", "one.db")
    assert "The key is not in the backup" in said
    assert KEY_FILE in said
    key = (cli.folder / "data" / KEY_FILE).read_text().strip()
    assert key not in said
    assert key.encode() not in (cli.folder / "one.db").read_bytes()
    monkeypatch.setenv("MSIL_SECRET_KEY", SECRET)
    assert "MSIL_SECRET_KEY elsewhere" in cli.run("backup", "two.db")
    assert "not in a file" in cli.run("backup", "three.db", "--with-key", code=1)


def test_a_backup_of_another_key_is_refused_until_the_key_is_called_lost(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.run("bundles", "list")
    cli.run("backup", "copy.db")
    monkeypatch.setenv("MSIL_SECRET_KEY", make_secret())
    assert "belongs to the secret key" in cli.run("restore", "copy.db", code=1)
    monkeypatch.delenv("MSIL_SECRET_KEY")
    monkeypatch.setenv("MSIL_DATA_DIR", str(cli.folder / "empty"))
    refused = cli.run("restore", "copy.db", code=1)
    assert "--other-key" in refused
    assert not (cli.folder / "empty" / KEY_FILE).exists()
    cli.run("restore", "copy.db", "--other-key")


def test_nothing_is_overwritten_by_a_backup(cli: Commands) -> None:
    cli.run("bundles", "list")
    written = cli.write("copy.db", "mine")
    assert "nothing is overwritten" in cli.run("backup", written, code=1)
    assert Path(written).read_text() == "mine"


def change(file: Path, statement: str) -> None:
    with closing(sqlite3.connect(file)) as database:
        database.execute(statement)
        database.commit()


def damage(file: Path) -> None:
    """Overwrite pages in the middle, as a bad disk would."""
    size = file.stat().st_size
    with file.open("r+b") as data:
        data.seek(size // 2 // 4096 * 4096)
        data.write(b"\xff" * 4096 * 4)


@pytest.mark.parametrize("kind", ["newer", "foreign", "damaged", "absent", "itself"])
def test_a_file_that_cannot_be_put_back_leaves_the_database_as_it_was(
    cli: Commands, kind: str
) -> None:
    cli.run("users", "create", "asha", "--role", "user")
    cli.run("backup", "copy.db")
    file, target = cli.folder / "copy.db", cli.folder / "data" / "msil.db"
    match kind:
        case "newer":
            change(file, "UPDATE alembic_version SET version_num = '9999'")
        case "foreign":
            file.write_text("a letter")
        case "damaged":
            damage(file)
        case "absent":
            file.unlink()
        case "itself":
            file = target
    before = target.read_bytes()
    said = {
        "newer": "9999",
        "foreign": "no database of this product",
        "damaged": "damaged",
        "absent": "no file",
        "itself": "the database itself",
    }
    assert said[kind] in cli.run("restore", str(file), code=1)
    assert target.read_bytes() == before
    assert [user["username"] for user in cli.json("users", "list")] == ["asha"]
    left = {path.name for path in target.parent.iterdir()}
    assert left <= {"msil.db", "msil.db-wal", "msil.db-shm", "msil.db.serving", KEY_FILE}


def test_a_restore_waits_for_nobody_who_has_the_database_open(cli: Commands) -> None:
    cli.run("bundles", "list")
    cli.run("backup", "copy.db")
    target = cli.folder / "data" / "msil.db"
    with closing(sqlite3.connect(target)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM users").fetchone()
        assert "has" in cli.run("restore", "copy.db", code=1)
    database = Database(database_url(Settings(_env_file=None)))
    with closing(hold_alone(database)):
        assert "Stop it first" in cli.run("restore", "copy.db", code=1)
    cli.run("restore", "copy.db")


def test_a_backup_of_an_older_release_is_migrated_when_it_is_put_back(cli: Commands) -> None:
    cli.run("bundles", "list")
    older = Database(database_url(Settings(_env_file=None)))
    downgrade(older, metadata, revision="0012")
    cli.run("backup", "old.db")
    restored = cli.json("restore", "old.db")
    assert (restored["schema"], restored["migrated_to"]) == ("0012", HEAD)
    assert cli.json("users", "list") == []


def test_on_postgresql_the_commands_name_its_own_tools(
    templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with templates.clone("postgresql") as url:
        for cli in commands_on(url, tmp_path, monkeypatch):
            assert "pg_dump" in cli.run("backup", code=2)
            assert "pg_restore" in cli.run("restore", "copy.db", code=2)
