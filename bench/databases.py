"""What our server keeps its data in for one run: a fresh SQLite file, or PostgreSQL and Redis."""

import base64
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

from bench.machine import cpu_seconds
from bench.processes import NotMeasured

POSTGRES = os.environ.get("BENCH_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")


@dataclass(frozen=True, slots=True)
class Backing:
    """Settings that choose the database, and the name of it on PostgreSQL."""

    environment: Mapping[str, str]
    database: str = ""

    def cpu_seconds(self) -> float:
        """CPU that PostgreSQL's processes for this database and Redis have used."""
        if not self.database:
            return 0.0
        with psycopg.connect(POSTGRES) as connection:
            query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
            pids = [row[0] for row in connection.execute(query, (self.database,))]
        with redis.Redis.from_url(REDIS) as client:
            pids.append(client.info("server")["process_id"])
        return cpu_seconds(pids)


@contextmanager
def sqlite(folder: Path) -> Iterator[Backing]:
    """An empty data directory."""
    folder.mkdir(parents=True)
    yield Backing({"MSIL_DATA_DIR": str(folder)})


@contextmanager
def postgresql(folder: Path) -> Iterator[Backing]:
    """A database of its own, dropped in the end."""
    folder.mkdir(parents=True)
    name = f"msil_bench_{secrets.token_hex(6)}"
    try:
        with redis.Redis.from_url(REDIS) as client:
            client.ping()
    except redis.RedisError as error:
        raise NotMeasured(f"Redis does not answer ({error}); set BENCH_REDIS_URL") from None
    try:
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
    except psycopg.Error as error:
        reason = str(error).splitlines()[0]
        raise NotMeasured(
            f"PostgreSQL lets no database be made ({reason}); set BENCH_DATABASE_URL"
        ) from None
    try:
        yield Backing(
            {
                "MSIL_DATA_DIR": str(folder),
                "DATABASE_URL": urlsplit(POSTGRES)._replace(path=f"/{name}").geturl(),
                "REDIS_URL": REDIS,
                "MSIL_SECRET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            },
            database=name,
        )
    finally:
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


BACKINGS = {"sqlite": sqlite, "postgresql": postgresql}
