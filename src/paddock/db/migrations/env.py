"""What Alembic runs. The connection, its lock and its transaction are the caller's; here is only what they are for."""

from alembic import context

from paddock.db.migrations import VERSION_TABLE
from paddock.db.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    version_table=VERSION_TABLE,
    transactional_ddl=True,  # true of SQLite as well, once the transaction is begun by hand
    render_as_batch=True,  # SQLite changes a column by copying its table
)
with context.begin_transaction():
    context.run_migrations()
