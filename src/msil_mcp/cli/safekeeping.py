"""Commands that keep the embedded database safe: backup and restore."""

import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from msil_mcp.cli.output import AsJson, fail, load_settings, run, show_json
from msil_mcp.settings import Settings

PURPOSE: Final = "backup"
KEY_ENDING: Final = ".key"


def register(app: typer.Typer) -> None:
    """Add this module's commands."""
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    file: Annotated[
        Path | None, typer.Argument(help="File to write; else a name with the time, here.")
    ] = None,
    with_key: Annotated[
        bool,
        typer.Option(
            "--with-key", help="Write the data directory's secret key beside it, as .key."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the embedded database to a file, beside a running server or without one."""
    settings = _embedded("pg_dump")
    run(_backup(settings, file, with_key=with_key, as_json=as_json))


async def _backup(settings: Settings, file: Path | None, *, with_key: bool, as_json: bool) -> None:
    from msil_mcp import __version__
    from msil_mcp.db.backup import BackupRefused, Label, back_up, write_private

    started = time.perf_counter()
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    target = file or Path(f"msil-{moment}.db")
    source = _database_file(settings)
    if not source.exists():
        raise BackupRefused(case="missing", path=source)
    key = target.with_name(target.name + KEY_ENDING) if with_key else None
    if key is not None:
        if settings.secret_key is not None:
            fail("The secret key is in MSIL_SECRET_KEY, not in a file. Keep it where it is kept.")
        if key.exists():
            raise BackupRefused(case="exists", path=key)
    [key_id, *_] = _key_ids(settings)
    contents = back_up(source, target, label=Label.now(release=__version__, key_id=key_id))
    if key is not None:
        write_private(_key_file(settings).read_text(), key)
    seconds = time.perf_counter() - started
    if as_json:
        show_json(
            {
                "file": str(target),
                "bytes": target.stat().st_size,
                "schema": contents.schema,
                "key_id": key_id,
                "key_file": None if key is None else str(key),
                "seconds": round(seconds, 3),
            }
        )
        return
    print(f"{target}: {target.stat().st_size:,} bytes, schema {contents.schema}, {seconds:.1f} s.")
    print(f"It belongs to the secret key {key_id}; without that key API keys, sessions and sealed")
    print("values in it are of no use, and the audit trail cannot be proved.")
    if key is not None:
        print(f"The key is in {key}. Move it to another place than the backup.")
    elif settings.secret_key is None:
        print(f"The key is not in the backup. Keep a copy of {_key_file(settings)} elsewhere.")
    else:
        print("The key is not in the backup. Keep a copy of MSIL_SECRET_KEY elsewhere.")


def restore(
    file: Annotated[Path, typer.Argument(help="A file that `msil-mcp backup` wrote.")],
    other_key: Annotated[
        bool,
        typer.Option(
            "--other-key", help="Restore although its secret key is not here: it is lost."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the embedded database; the server must be stopped."""
    settings = _embedded("pg_restore")
    run(_restore(settings, file, other_key=other_key, as_json=as_json))


async def _restore(settings: Settings, file: Path, *, other_key: bool, as_json: bool) -> None:
    import asyncio

    from msil_mcp.cli.database import desk
    from msil_mcp.db.alone import hold_alone
    from msil_mcp.db.backup import check_schema_known, put_back, read_contents
    from msil_mcp.db.database import Database, database_url
    from msil_mcp.db.migrate import HEAD, upgrade
    from msil_mcp.main import metadata

    started = time.perf_counter()
    contents = read_contents(file)
    check_schema_known(contents)
    target = _database_file(settings)

    def migrate(staged: Path) -> None:
        upgrade(Database(database_url(settings).set(database=str(staged))), metadata)

    database = Database(database_url(settings))
    try:
        with closing(hold_alone(database)):
            bring_key(settings, file, other_key=other_key)
            kept = await asyncio.to_thread(put_back, file, target, migrate=migrate)
    finally:
        await database.close()
    made_at = contents.label.made_at if contents.label else None
    async with desk(settings) as at:
        details = {"made_at": made_at, "schema": contents.schema}
        await at.record("database.restored", target=file.name, details=details)
    seconds = time.perf_counter() - started
    if as_json:
        show_json(
            {
                "file": str(target),
                "made_at": made_at,
                "schema": contents.schema,
                "migrated_to": HEAD,
                "previous": None if kept is None else str(kept),
                "seconds": round(seconds, 3),
            }
        )
        return
    of = "" if made_at is None else f", the state of {made_at}"
    print(f"{target} is {file.name}{of}, at schema {HEAD}, after {seconds:.1f} s.")
    if kept is not None:
        print(f"The previous database is kept as {kept}.")
    print("Check the trail with: msil-mcp audit verify. Then start the server.")


def bring_key(settings: Settings, file: Path, *, other_key: bool) -> None:
    """See that the key the backup belongs to is here; bring it from beside the backup if not."""
    from msil_mcp.db.backup import BackupRefused, read_contents, write_private

    label = read_contents(file).label
    here = _key_file(settings)
    beside = file.with_name(file.name + KEY_ENDING)
    if settings.secret_key is None and not here.exists() and beside.exists():
        here.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_private(beside.read_text(), here)
    if label is None or other_key:
        return
    if settings.secret_key is None and not here.exists():
        raise BackupRefused(case="no_key", key_id=label.key_id, beside=beside, path=here)
    if label.key_id not in _key_ids(settings):
        where = "MSIL_SECRET_KEY" if settings.secret_key is not None else str(here)
        raise BackupRefused(case="other_key", key_id=label.key_id, where=where)


def _embedded(program: str) -> Settings:
    settings = load_settings()
    if not settings.is_sqlite:
        fail(
            f"This is for the embedded database. For PostgreSQL use {program} and its "
            "point-in-time recovery: docs/guides/backup-and-restore.md",
            code=2,
        )
    return settings


def _database_file(settings: Settings) -> Path:
    from msil_mcp.db.database import database_url

    return Path(database_url(settings).database or "")


def _key_file(settings: Settings) -> Path:
    from msil_mcp.sealing import KEY_FILE

    return settings.data_dir / KEY_FILE


def _key_ids(settings: Settings) -> tuple[str, ...]:
    from msil_mcp.sealing import Keyring

    return Keyring.from_settings(settings).mac(PURPOSE).key_ids
