"""Run by Alembic, on the connection that `deployments.log.store` hands it."""

from alembic import context

from deployments.log.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
