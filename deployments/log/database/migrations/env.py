"""Run by Alembic, on the connection that `deployments.log.database.store` hands it."""

from alembic import context

from deployments.log.database.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
