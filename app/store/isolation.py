"""How the database itself keeps tenants apart: row-level security, and what the service's role may do.

A transaction says whose it is (`app.store.engine.transaction`, `app.store.reads.Reads`), and sees and writes the rows
of that tenant alone; one that says nothing sees nothing. It holds for the owner of the tables, too (FORCE), but not for
superusers, as whom the service does not work (`app.store.connection`).

A question that goes across tenants is a function in the database that asks just that (`question`): while it runs,
`app.question` is its name, and the policies that come with it let it see the one table that it is about. It has no more
rights than its caller, so that there is no role that sees everything.

Migrations call these functions: what they return never changes; another form gets another function.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Literal

from alembic import op

from app.store.tables import METADATA

__all__ = ["isolate", "privileges_of", "question", "question_also", "unforced"]

Command = Literal["SELECT", "INSERT", "UPDATE", "DELETE"]

# A setting that has ended reads as empty, not as NULL. Each policy asks once, not for each row: it is a subquery.
_OURS: Final = "tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), ''))"

_EVERYTHING: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_NARROWER: Final[dict[str, tuple[Command, ...]]] = {
    # Which migrations were applied, it may know.
    "alembic_version": ("SELECT",),
    # An event never changes; erasing removes it.
    "event": ("SELECT", "INSERT", "DELETE"),
    "policy": ("SELECT", "INSERT"),
    "policy_activation": ("SELECT", "INSERT"),
    "erasure": ("SELECT", "INSERT", "UPDATE"),
    "api_key": ("SELECT", "INSERT", "UPDATE"),
    # What was done stays written.
    "audit_entry": ("SELECT", "INSERT"),
    # Made once.
    "secret": ("SELECT", "INSERT"),
    # Locking a row takes the right to update it.
    "tenant": ("SELECT", "INSERT", "UPDATE"),
}


def isolate(table: str) -> list[str]:
    """The statements after which a table with a `tenant_id` shows and takes the rows of one tenant alone."""
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant ON {table} USING ({_OURS}) WITH CHECK ({_OURS})",
    ]


def question(
    name: str, arguments: str, returns: str, statement: str, *, about: str, commands: Sequence[Command] = ("SELECT",)
) -> list[str]:
    """The statements that make a function which goes across tenants.

    Args:
        name: of the function.
        arguments: as in CREATE FUNCTION; none is named like a column.
        returns: what follows RETURNS: `SETOF …` or `TABLE (…)`.
        statement: the one statement that it runs; it returns rows.
        about: the table that it goes across.
        commands: what the statement does with it; what is updated, deleted or locked is seen first (SELECT).
    """
    asked = f"(SELECT current_setting('app.question', true)) = '{name}'"
    body = f"""
        #variable_conflict use_column
        BEGIN
            PERFORM set_config('app.question', '{name}', true);
            RETURN QUERY {statement};
            PERFORM set_config('app.question', '', true);
        END
    """
    found = [f"CREATE FUNCTION {name}({arguments}) RETURNS {returns} LANGUAGE plpgsql AS $body${body}$body$"]
    for command in commands:
        rule = f"WITH CHECK ({asked})" if command == "INSERT" else f"USING ({asked})"
        found.append(f"CREATE POLICY {name}_{command.lower()} ON {about} FOR {command} {rule}")
    return found


def question_also(name: str, table: str) -> str:
    """The statement that lets a question that goes across tenants see another table too, which it only reads."""
    return (
        f"CREATE POLICY {name}_select ON {table} FOR SELECT "
        f"USING ((SELECT current_setting('app.question', true)) = '{name}')"
    )


@contextmanager
def unforced(table: str) -> Iterator[None]:
    """Within a migration's transaction, let the owner see all rows of a table: else it would change none of them."""
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def privileges_of(table: str) -> tuple[str, ...]:
    """What the service's role may do with a table."""
    return _NARROWER.get(table, _EVERYTHING if table in METADATA.tables else ())
