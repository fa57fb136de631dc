"""The history of the schema (Alembic); database.upgrade runs it."""
