"""What Alembic runs for every command. The connection, with its transaction, comes from `adapters.storage.migrate`."""

from alembic import context

from adapters.storage.tables import metadata

connection = context.config.attributes.get("connection")
if connection is None:
    raise SystemExit("Alembic has no database of its own here: use `remoteclaw db upgrade`.")

context.configure(
    connection=connection,
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can, where the driver does not commit behind one's back
    render_as_batch=True,  # SQLite changes a table by building it anew
)
with context.begin_transaction():
    context.run_migrations()
