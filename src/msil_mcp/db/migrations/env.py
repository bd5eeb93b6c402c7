"""Alembic's entry: runs on the connection and metadata that `msil_mcp.db.migrate` hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=context.config.attributes["metadata"],
    render_as_batch=connection.dialect.name == "sqlite",
    compare_type=True,
    user_module_prefix="database.",
)
with context.begin_transaction():
    context.run_migrations()
