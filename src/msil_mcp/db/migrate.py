"""Bring a database to the schema of this release, or say that it is not there.

Alembic is imported only when there is something to do: a server that starts on a current schema
does not pay for it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, MetaData, text
from sqlalchemy.exc import DBAPIError

from msil_mcp.db.database import Database
from msil_mcp.errors import MsilError

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS: Final = Path(__file__).parent / "migrations"
HEAD: Final = "0013"


class SchemaOutdated(MsilError):
    """The database has another schema than this release works with."""

    status = 503
    slug = "schema_outdated"

    def __init__(self, found: str | None) -> None:
        if found:
            super().__init__(found=found, needed=HEAD)
        else:
            super().__init__(case="none", needed=HEAD)


async def schema_revision(database: Database) -> str | None:
    """The revision the database is at; None when it was never migrated."""
    try:
        async with database.engine.connect() as connection:
            query = text("SELECT version_num FROM alembic_version")
            revision: str | None = (await connection.execute(query)).scalar_one_or_none()
            return revision
    except DBAPIError as error:
        if error.connection_invalidated or not _is_missing_table(error):
            raise
        return None


async def check_schema(database: Database) -> None:
    """SchemaOutdated unless the database is at this release's schema."""
    found = await schema_revision(database)
    if found != HEAD:
        raise SchemaOutdated(found)


def upgrade(database: Database, metadata: MetaData, *, revision: str = "head") -> None:
    """Migrate up, in one transaction; blocks, so call it in a thread from async code."""
    from alembic import command

    engine = database.writer_engine()
    try:
        with engine.connect() as connection:
            _take_turn(connection)
            command.upgrade(_config(connection, metadata), revision)
            connection.commit()
    finally:
        engine.dispose()


def downgrade(database: Database, metadata: MetaData, *, revision: str) -> None:
    """Migrate down to a revision, or to `base`."""
    from alembic import command

    engine = database.writer_engine()
    try:
        with engine.connect() as connection:
            _take_turn(connection)
            command.downgrade(_config(connection, metadata), revision)
            connection.commit()
    finally:
        engine.dispose()


def _config(connection: Connection, metadata: MetaData) -> "Config":
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes.update(connection=connection, metadata=metadata)
    return config


def _take_turn(connection: Connection) -> None:
    """Two processes that migrate at once do it one after the other."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7157203)")


def _is_missing_table(error: DBAPIError) -> bool:
    return "no such table" in str(error.orig) or getattr(error.orig, "sqlstate", "") == "42P01"
