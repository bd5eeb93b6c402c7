"""The schema: migrations make exactly what the models say, and go down and up again."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from databases import Templates, settings_for
from msil_mcp.db.database import Database, database_url
from msil_mcp.db.migrate import HEAD, MIGRATIONS, downgrade, upgrade
from msil_mcp.main import metadata


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_the_migrations_make_what_the_models_say(templates: Templates, backend: str) -> None:
    with templates.clone(backend) as url:
        engine = Database(database_url(settings_for(url))).writer_engine()
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        engine.dispose()


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_down_and_up_again_leaves_the_same_tables(templates: Templates, backend: str) -> None:
    with templates.clone(backend) as url:
        database = Database(database_url(settings_for(url)))
        engine = database.writer_engine()
        before = set(inspect(engine).get_table_names())
        downgrade(database, metadata, revision="base")
        assert set(inspect(engine).get_table_names()) == {"alembic_version"}
        upgrade(database, metadata)
        assert set(inspect(engine).get_table_names()) == before
        engine.dispose()


def test_the_newest_migration_is_the_one_the_release_asks_for() -> None:
    assert ScriptDirectory(Path(MIGRATIONS)).get_current_head() == HEAD
