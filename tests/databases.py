"""Test databases: migrated once, then cloned (a file copy, or a PostgreSQL template)."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg

from msil_mcp.db.database import Database, database_url
from msil_mcp.db.migrate import upgrade
from msil_mcp.main import metadata
from msil_mcp.settings import Settings

SERVER = "host=127.0.0.1 user=postgres"
POOL_SIZE = 3
SECRET = "bXNpbC10ZXN0LXNlY3JldC1tc2lsLXRlc3Qtc2VjcmV0LW1zaWw"


def url_of(name: str) -> str:
    return f"postgresql://postgres@127.0.0.1/{name}"


def settings_for(url: str, **changes: object) -> Settings:
    given = {"database_url": url, "secret_key": SECRET, "database_pool_size": POOL_SIZE} | changes
    return Settings(_env_file=None, **given)


class Templates:
    """One migrated database of each kind for the whole test session."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, str] = {}

    def _template(self, backend: str) -> str:
        if backend not in self._made:
            name = f"msil_template_{uuid4().hex}"
            if backend == "sqlite":
                url = f"sqlite:///{self._folder / name}.db"
            else:
                with psycopg.connect(SERVER, autocommit=True) as connection:
                    connection.execute(f'CREATE DATABASE "{name}"')
                url = url_of(name)
            upgrade(Database(database_url(settings_for(url))), metadata)
            self._made[backend] = name
        return self._made[backend]

    @contextmanager
    def clone(self, backend: str) -> Iterator[str]:
        """The URL of a migrated database that is gone afterwards."""
        template, name = self._template(backend), f"msil_{uuid4().hex}"
        if backend == "sqlite":
            target = self._folder / f"{name}.db"
            shutil.copy(self._folder / f"{template}.db", target)
            yield f"sqlite:///{target}"
            return
        with psycopg.connect(SERVER, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
            try:
                yield url_of(name)
            finally:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def close(self) -> None:
        if "postgresql" in self._made:
            with psycopg.connect(SERVER, autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{self._made["postgresql"]}" WITH (FORCE)')


def command(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `msil-mcp` as a user would."""
    return subprocess.run(
        [sys.executable, "-m", "msil_mcp", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=env,
    )
