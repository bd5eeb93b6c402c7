"""One serving process for each SQLite file, held by a lock that dies with the process."""

import sqlite3
from pathlib import Path

from msil_mcp.db.database import Database
from msil_mcp.errors import Conflict


class AlreadyServing(Conflict):
    """Another process serves from this database."""

    slug = "already_serving"

    def __init__(self, path: Path) -> None:
        super().__init__(path=path)


def hold_alone(database: Database) -> sqlite3.Connection:
    """The lock, held until it is closed; AlreadyServing when another process has it.

    SQLite's own locking is used on a file of its own, since it works on every platform.
    """
    path = Path(database.url.database or "")
    lock = sqlite3.connect(
        path.with_name(f"{path.name}.serving"), timeout=0, check_same_thread=False
    )
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        raise AlreadyServing(path) from error
    return lock
