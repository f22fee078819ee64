"""Names in the order of code points, as the code that reads them has it, also where the database has another order."""

from alembic import op
from sqlalchemy import text

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_IS_SO_ALREADY = text(
    r"""
    SELECT bool_and(one < other COLLATE "default")
    FROM (
        VALUES ('B', 'a'), ('a-c', 'aB'), ('a b', 'aa'), ('_', 'a'), ('z', U&'\00e9'), (U&'\ff5e', U&'\+010000')
    ) AS pair (one, other)
    """
)
_NAMES = {
    "client": ("client_id",),
    "event": ("source", "id", "client_id"),
    "checkpoint": ("client_id", "source", "id"),
    "put_away": ("client_id", "source", "id"),
    "assessment": ("client_id",),
    "portfolio_share": ("client_id",),
}


def upgrade() -> None:
    """Change the order of columns that are compared, or nothing in a database of the locale C.

    It builds their indexes anew while nobody else reads or writes, and a statement of a service that runs meanwhile may
    fail once: with many events, do it when few are there.
    """
    if not op.get_bind().execute(_IS_SO_ALREADY).scalar_one():
        op.execute("SET LOCAL statement_timeout = 0")
        _alter("C")


def downgrade() -> None:
    """Go back to the database's own order."""
    if not op.get_bind().execute(_IS_SO_ALREADY).scalar_one():
        _alter("default")


def _alter(collation: str) -> None:
    for table, columns in _NAMES.items():
        changes = ", ".join(f'ALTER {column} TYPE text COLLATE "{collation}"' for column in columns)
        op.execute(f"ALTER TABLE {table} {changes} -- safe: no row is rewritten; the lock is said above")
