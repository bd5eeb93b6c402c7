"""Copies of the embedded database: taken beside a running server, put back whole or not at all.

A copy is made with SQLite's online backup, so it is what one moment had committed. It carries a
label, a table of one row, that says which release and which secret key it belongs to; restoring
reads the label and removes it.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self

from msil_mcp.db.migrate import MIGRATIONS
from msil_mcp.errors import Conflict

PART: Final = ".part"
SIDE_FILES: Final = ("-wal", "-shm", "-journal")


class BackupRefused(Conflict):
    """A backup cannot be made, or not be put back, as asked."""

    slug = "backup_refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a copy says of itself; `key_id` names the secret key, and shows nothing of it."""

    made_at: str
    release: str
    key_id: str

    @classmethod
    def now(cls, *, release: str, key_id: str) -> Self:
        """The label of a copy made now."""
        made_at = datetime.now(UTC).isoformat(timespec="seconds")
        return cls(made_at=made_at, release=release, key_id=key_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What is in a file: its schema, and the label where a backup made it."""

    schema: str
    label: Label | None


def back_up(source: Path, target: Path, *, label: Label) -> Contents:
    """Copy the database, served or not, to a file that must not exist; returns what is in it."""
    if not source.exists():
        raise BackupRefused(case="missing", path=source)
    with _drafted(target) as draft:
        with _opened(source) as live, closing(sqlite3.connect(draft)) as copy:
            # All pages in one step: readers and writers of a WAL database go on meanwhile.
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            copy.execute("CREATE TABLE backup_label (made_at TEXT, release TEXT, key_id TEXT)")
            row = (label.made_at, label.release, label.key_id)
            copy.execute("INSERT INTO backup_label VALUES (?, ?, ?)", row)
            copy.commit()
            _check(copy, source, thorough=False)
        return read_contents(draft, named=source)


def read_contents(path: Path, *, named: Path | None = None) -> Contents:
    """Schema and label of a file; BackupRefused when it is no database of this product."""
    if not path.is_file():
        raise BackupRefused(case="missing", path=path)
    try:
        with _opened(path) as database:
            [schema] = database.execute("SELECT version_num FROM alembic_version").fetchone()
            tables = {row[0] for row in database.execute("SELECT name FROM sqlite_master")}
            row = None
            if "backup_label" in tables:
                query = "SELECT made_at, release, key_id FROM backup_label"
                row = database.execute(query).fetchone()
    except (sqlite3.DatabaseError, TypeError) as error:
        raise BackupRefused(case="foreign", path=named or path) from error
    label = Label(made_at=row[0], release=row[1], key_id=row[2]) if row else None
    return Contents(schema=schema, label=label)


def check_schema_known(contents: Contents) -> None:
    """BackupRefused when a newer release wrote it: there is no way down from an unknown schema."""
    known = {path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("*.py")}
    if contents.schema not in known:
        raise BackupRefused(case="newer", schema=contents.schema)


def put_back(source: Path, target: Path, *, migrate: Callable[[Path], None]) -> Path | None:
    """Replace the database by a copy, migrated first; returns where the previous one is kept.

    Until the last step, a rename, the target is what it was. The caller holds the server's lock.
    """
    if target.exists() and source.samefile(target):
        raise BackupRefused(case="itself", path=source)
    staged = target.with_name(f".{target.name}.restoring")
    for leftover in (staged, *_side_files(staged)):
        leftover.unlink(missing_ok=True)
    try:
        _create_private(staged)
        with _opened(source) as copy, closing(sqlite3.connect(staged)) as new:
            copy.backup(new)
            new.execute("PRAGMA journal_mode=DELETE")
            new.execute("DROP TABLE IF EXISTS backup_label")
            new.commit()
            _check(new, source, thorough=True)
        migrate(staged)
        with closing(sqlite3.connect(staged)) as new:
            new.execute("PRAGMA journal_mode=DELETE")
        _sync(staged)
        kept = _set_aside(target) if target.exists() else None
        staged.replace(target)
        _sync(target.parent)
    finally:
        for leftover in (staged, *_side_files(staged)):
            leftover.unlink(missing_ok=True)
    return kept


def write_private(text: str, target: Path) -> None:
    """A new file, whole or not there, that its owner alone can read."""
    with _drafted(target) as draft:
        draft.write_text(text)


def _set_aside(target: Path) -> Path:
    """Keep the present database under another name as well, with nothing of it in side files."""
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    kept = target.with_name(f"{target.name}.before-{moment}")
    try:
        with closing(sqlite3.connect(target, timeout=2)) as old:
            # Fails while anybody else has it open, and leaves one file where it succeeds.
            old.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise BackupRefused(case="in_use", path=target) from error
        raise
    except sqlite3.DatabaseError:
        # Too damaged to be opened; a log beside it must not be replayed into the new one.
        for side in _side_files(target):
            if side.exists():
                side.rename(kept.with_name(kept.name + side.name.removeprefix(target.name)))
    os.link(target, kept)
    return kept


@contextmanager
def _drafted(target: Path) -> Iterator[Path]:
    """A private file to write, which gets its name when the block succeeds; never overwrites."""
    if target.exists():
        raise BackupRefused(case="exists", path=target)
    draft = target.with_name(f".{target.name}.{os.getpid()}{PART}")
    _create_private(draft)
    try:
        yield draft
        _sync(draft)
        os.link(draft, target)
        _sync(target.parent)
    except FileExistsError as error:
        raise BackupRefused(case="exists", path=target) from error
    finally:
        for leftover in (draft, *_side_files(draft)):
            leftover.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """An existing database; sqlite3 would make one that is not there."""
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)) as connection:
        yield connection


def _check(database: sqlite3.Connection, source: Path, *, thorough: bool) -> None:
    look = "integrity_check" if thorough else "quick_check"
    try:
        [[found]] = database.execute(f"PRAGMA {look}(1)").fetchall()
    except sqlite3.DatabaseError as error:
        raise BackupRefused(case="damaged", path=source, reason=str(error)) from error
    if found != "ok":
        raise BackupRefused(case="damaged", path=source, reason=found)


def _create_private(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))


def _side_files(path: Path) -> list[Path]:
    return [path.with_name(path.name + ending) for ending in SIDE_FILES]


def _sync(path: Path) -> None:
    # Windows opens no directories, and needs none to be synced.
    with suppress(PermissionError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
