"""Indexes on tables that are in use."""

from alembic import op
from sqlalchemy import text

__all__ = ["build_index", "drop_index"]


def build_index(name: str, definition: str, *, unique: bool = False) -> None:
    """In a migration, build an index while rows are read and written.

    What the migration did before is committed at this point: let the index have a migration of its own. One that was
    interrupted is begun again, also after it left an index that is not valid.

    Args:
        name: of the index.
        definition: what comes after ON: the table, the columns in parentheses, perhaps WHERE.
        unique: whether it allows each value once.
    """
    with op.get_context().autocommit_block():
        # It waits for transactions that began before, and lets all others pass meanwhile.
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        broken = text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid")
        if op.get_bind().execute(broken, {"name": name}).first():
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        kind = "UNIQUE INDEX" if unique else "INDEX"
        op.execute(f"CREATE {kind} CONCURRENTLY IF NOT EXISTS {name} ON {definition}")
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")


def drop_index(name: str) -> None:
    """In a migration, drop an index while its table is in use; see `build_index`."""
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        op.execute("RESET statement_timeout")
        op.execute("RESET lock_timeout")
