"""How Alembic reaches the database: on the connection that `app.store.migrate` hands over."""

from alembic import context

from app.store.tables import METADATA

connection = context.config.attributes["connection"]
# Each by itself: one that has to be given up leaves those before it done.
context.configure(connection=connection, target_metadata=METADATA, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
