"""The schema: migrations make exactly what the models say, and go down and up again."""

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, inspect, text

from databases import Templates, settings_for
from msil_mcp.db.database import Database, database_url
from msil_mcp.db.migrate import HEAD, MIGRATIONS, downgrade, upgrade
from msil_mcp.main import metadata

MOMENT = "2026-01-31 23:59:59.000000"
SESSION = f"""
    INSERT INTO chat_sessions (id, owner_id, title, folded_title, language, pinned, archived,
        next_sequence, metadata, created_at, updated_at, active_at)
    VALUES (:id, 'user:7', '', '', 'en', false, false, 1, '{{}}',
        '{MOMENT}', '{MOMENT}', '{MOMENT}')
"""
RUN = """
    INSERT INTO chat_runs (id, session_id, state, user_message_id, model, model_requests,
        tool_calls, input_tokens, output_tokens, cached_tokens, cost_nanos, created_at, finished_at)
    VALUES (:id, :session, :state, 'x', :model, :requests, 0, :tokens, 1, 0, 1000, :at, :ended)
"""
RUNS = [
    ("1", "a", "succeeded", "m", 2, 10, MOMENT, "2026-02-01 00:00:01.000000"),
    ("2", "a", "running", "m", 3, 20, "2026-01-31 01:00:00.000000", None),
    ("3", "b", "queued", None, 0, 0, "2026-02-01 00:00:00.000000", None),
]


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_the_migrations_make_what_the_models_say(templates: Templates, backend: str) -> None:
    with templates.clone(backend) as url:
        engine = Database(database_url(settings_for(url))).writer_engine()
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, metadata) == []
        engine.dispose()


def revisions() -> list[str]:
    """From the first to the newest."""
    script = ScriptDirectory(Path(MIGRATIONS))
    return [found.revision for found in reversed(list(script.walk_revisions()))]


def told(facts: Any) -> str:
    """The facts in one form; conditions of partial indexes as their text."""
    match facts:
        case dict():
            return str(sorted((key, told(value)) for key, value in facts.items()))
        case list():
            return str([told(value) for value in facts])
    return str(facts)


def shape(engine: Engine) -> dict[str, Any]:
    """Every table with its columns, keys, constraints and indexes, as the database tells them."""
    look = inspect(engine)
    found: dict[str, Any] = {}
    for table in look.get_table_names():
        found[table] = {
            "columns": {
                column["name"]: (str(column["type"]), column["nullable"], column["default"])
                for column in look.get_columns(table)
            },
            "constraints": sorted(
                map(
                    told,
                    (
                        look.get_pk_constraint(table),
                        *look.get_foreign_keys(table),
                        *look.get_unique_constraints(table),
                        *look.get_check_constraints(table),
                    ),
                )
            ),
            "indexes": sorted(map(told, look.get_indexes(table))),
        }
    return found


def without_defaults(shapes: dict[str, Any]) -> dict[str, Any]:
    """Going down, a required column can only come back with a default."""
    return {
        table: facts | {"columns": {name: row[:2] for name, row in facts["columns"].items()}}
        for table, facts in shapes.items()
    }


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_every_step_down_and_up_again_leaves_the_same_schema(
    templates: Templates, backend: str
) -> None:
    with templates.clone(backend) as url:
        database = Database(database_url(settings_for(url)))
        engine = database.writer_engine()
        shapes = {HEAD: shape(engine)}
        for revision in reversed(revisions()[:-1]):
            downgrade(database, metadata, revision=revision)
            shapes[revision] = shape(engine)
        downgrade(database, metadata, revision="base")
        assert set(inspect(engine).get_table_names()) == {"alembic_version"}
        for revision in revisions():
            upgrade(database, metadata, revision=revision)
            assert without_defaults(shape(engine)) == without_defaults(shapes[revision]), revision
        assert shape(engine) == shapes[HEAD]
        engine.dispose()


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_the_release_before_can_read_and_write_the_newest_schema(
    templates: Templates, backend: str
) -> None:
    """While replicas are replaced, the old ones meet the new schema: what they name is there.

    What a new constraint forbids cannot be seen here; the upgrade guide asks for its own step.
    """
    with templates.clone(backend) as url:
        database = Database(database_url(settings_for(url)))
        engine = database.writer_engine()
        newest = shape(engine)
        downgrade(database, metadata, revision=revisions()[-2])
        before = shape(engine)
        engine.dispose()
    assert stumbling_blocks(before, newest) == []


def stumbling_blocks(before: dict[str, Any], newest: dict[str, Any]) -> list[str]:
    """What the release before names and is gone, or does not name and must be given."""
    blocks = [f"{table} is gone" for table in before if table not in newest]
    for table in before.keys() & newest.keys():
        old, new = before[table]["columns"], newest[table]["columns"]
        blocks += [f"{table}.{name} is gone" for name in old if name not in new]
        blocks += [
            f"{table}.{name} must be given"
            for name, (_, nullable, default) in new.items()
            if not nullable and default is None and (name not in old or old[name][1])
        ]
        blocks += [
            f"{table}.{name} is {new[name][0]}, not {old[name][0]}"
            for name in old
            if name in new and new[name][0] != old[name][0]
        ]
    return blocks


def test_what_the_release_before_would_stumble_over_is_found() -> None:
    old = {"a": {"columns": {"x": ("TEXT", False, None), "y": ("TEXT", True, None)}}, "b": {}}
    new = {"a": {"columns": {"y": ("INTEGER", False, None), "z": ("TEXT", False, None)}}}
    assert sorted(stumbling_blocks(old, new)) == [
        "a.x is gone",
        "a.y is INTEGER, not TEXT",
        "a.y must be given",
        "a.z must be given",
        "b is gone",
    ]


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_what_conversations_took_before_there_was_a_ledger_is_in_it(
    templates: Templates, backend: str
) -> None:
    with templates.clone(backend) as url:
        database = Database(database_url(settings_for(url)))
        engine = database.writer_engine()
        downgrade(database, metadata, revision="0004")
        with engine.begin() as connection:
            connection.execute(text(SESSION), [{"id": "a"}, {"id": "b"}])
            names = ("id", "session", "state", "model", "requests", "tokens", "at", "ended")
            connection.execute(text(RUN), [dict(zip(names, run, strict=True)) for run in RUNS])
        upgrade(database, metadata)
        with engine.connect() as connection:
            [owner] = connection.scalars(text("SELECT DISTINCT user_id FROM chat_runs"))
            booked = connection.execute(
                text("SELECT * FROM model_usage ORDER BY day, model")
            ).fetchall()
        engine.dispose()
    assert owner == "user:7"
    assert [(str(row.day), row.user_id, row.model, row.turns, row.requests) for row in booked] == [
        ("2026-01-31", "user:7", "m", 1, 5),
        ("2026-02-01", "user:7", "", 0, 0),
    ]
    assert (booked[0].input_tokens, booked[0].cost_nanos, booked[0].door) == (30, 2_000, "chat")


def test_the_newest_migration_is_the_one_the_release_asks_for() -> None:
    assert ScriptDirectory(Path(MIGRATIONS)).get_current_head() == HEAD
