"""What Alembic runs for every command: the caller's connection and transaction, and nothing of its own."""

from alembic import context

from router.records.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds it all
    compare_type=True,
)
context.run_migrations()
