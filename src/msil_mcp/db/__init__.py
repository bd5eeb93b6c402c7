"""The database: one engine, explicit units of work, migrations."""
