"""The rights of the service's role, brought to what they should be after each migration."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from app.store.connection import SERVICE_ROLE
from app.store.isolation import privileges_of

__all__ = ["grant"]

_FORBIDDEN: Final = "42501"
_LOCK: Final = 0x7061727477677261
"""Two that grant the same at once would get in each other's way."""


async def grant(connection: AsyncConnection, role: str = SERVICE_ROLE) -> str | None:
    """Make the role if there is none, and give it its rights to our tables, no fewer and no more.

    Args:
        connection: of the role that owns the tables; nothing happens as another. No transaction may be open.
        role: of the service.

    Returns:
        What an operator has to do because this role may not; None if nothing.
    """
    try:
        async with connection.begin():
            await connection.execute(text(_making(role)))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _FORBIDDEN:
            raise
        return (
            f"There is no role {role}, and this one may not make it: the service works as its login role. "
            f"Better let an administrator run `CREATE ROLE {role} NOLOGIN` and `GRANT {role} TO` the login role of the "
            "service, then run `python -m app migrate` again."
        )
    async with connection.begin():
        await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        for schema in (await connection.execute(text(_schema_lacking(role)))).scalars().all():
            await connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {role}"))
        for table, has in (await connection.execute(text(_granted(role)))).all():
            wanted = set(privileges_of(table))
            if missing := wanted - set(has):
                await connection.execute(text(f"GRANT {', '.join(sorted(missing))} ON {table} TO {role}"))
            if wanted and (extra := set(has) - wanted):
                await connection.execute(text(f"REVOKE {', '.join(sorted(extra))} ON {table} FROM {role}"))
    return None


def _making(role: str) -> str:
    """Roles belong to the cluster: another database's migration may make it at the same moment.

    Who makes it becomes a member, so that a single login role is enough for everything; as of Postgres 16 that does not
    follow by itself.
    """
    return f"""
        DO $$ BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                CREATE ROLE {role} NOLOGIN;
                IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
                    EXECUTE format('GRANT {role} TO %I', current_user);
                END IF;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END $$
    """  # noqa: S608


def _granted(role: str) -> str:
    """Of the tables in our schema that are ours to grant: what the role has been granted."""
    return f"""
        SELECT relname, coalesce(array_agg(acl.privilege_type) FILTER (WHERE acl.privilege_type IS NOT NULL), '{{}}')
        FROM pg_class
        LEFT JOIN LATERAL aclexplode(relacl) AS acl ON acl.grantee = '{role}'::regrole
        WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')
            AND pg_has_role(current_user, relowner, 'USAGE')
        GROUP BY relname
        ORDER BY relname
    """  # noqa: S608


def _schema_lacking(role: str) -> str:
    return f"SELECT quote_ident(current_schema()) WHERE NOT has_schema_privilege('{role}', current_schema(), 'USAGE')"
