"""Alembic's entry. Runs inside the server's start-up on the connection handed to it, inside its
transaction: an upgrade is done or not begun."""

from alembic import context

from storage.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    # One row needs no key, whose index would take a page.
    version_table_pk=False,
)
with context.begin_transaction():
    context.run_migrations()
