"""What our server keeps its data in for one run: a fresh SQLite file, or PostgreSQL and Redis."""

import base64
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import redis

from bench.machine import cpu_seconds
from bench.processes import NotMeasured

POSTGRES = os.environ.get("BENCH_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
REDIS = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")


@dataclass(frozen=True, slots=True)
class Backing:
    """Settings that choose the database; on PostgreSQL its name, and a connection to ask by."""

    environment: Mapping[str, str]
    database: str = ""
    connection: psycopg.Connection[Any] | None = None

    def cpu_seconds(self) -> float:
        """CPU that PostgreSQL's processes for this database and Redis have used."""
        if self.connection is None:
            return 0.0
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
        try:
            pids = [row[0] for row in self.connection.execute(query, (self.database,))]
            with redis.Redis.from_url(REDIS) as client:
                pids.append(client.info("server")["process_id"])
        except (psycopg.Error, redis.RedisError) as error:
            raise NotMeasured(f"the database's CPU: {error}") from None
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
        connection = psycopg.connect(POSTGRES, autocommit=True)
        connection.execute(f'CREATE DATABASE "{name}"')
    except psycopg.Error as error:
        reason = str(error).splitlines()[0]
        raise NotMeasured(
            f"PostgreSQL lets no database be made ({reason}); set BENCH_DATABASE_URL"
        ) from None
    environment = {
        "MSIL_DATA_DIR": str(folder),
        "DATABASE_URL": urlsplit(POSTGRES)._replace(path=f"/{name}").geturl(),
        "REDIS_URL": REDIS,
        "MSIL_SECRET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
    }
    try:
        yield Backing(environment, database=name, connection=connection)
    finally:
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        connection.close()


BACKINGS = {"sqlite": sqlite, "postgresql": postgresql}
