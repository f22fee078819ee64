"""Connections of the service to Postgres, always under a role that row-level security holds for."""

from typing import Any, Final

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from app.ports.ledger import StoreUnavailableError
from app.ports.tracing import OFF, Tracing
from app.store.statements import WatchedConnection

__all__ = ["LONGEST", "LOST", "SERVICE_ROLE", "SESSION", "Connector", "UnsafeRoleError", "refuse_unsafe_role"]

SERVICE_ROLE: Final = "partwise_service"
"""The role that the service works under: it owns nothing and cannot log in; one for all databases of a cluster."""

SESSION: Final = {
    "application_name": "partwise",
    "timezone": "UTC",
    # 2xx means durable: never inherit a server's laxer default.
    "synchronous_commit": "on",
    "statement_timeout": "30000",
    "idle_in_transaction_session_timeout": "60000",
    "jit": "off",
}

LONGEST: Final = 30.0
"""Seconds for a statement where nobody waits for it at the other end of a request."""
_CONNECT_SECONDS: Final = 5.0

_BYPASSES: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"


LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    # What the driver finds itself in when a connection goes in the middle of an exchange.
    asyncpg.InternalClientError,
)
"""What is raised where Postgres cannot be reached, or goes away."""


class UnsafeRoleError(StoreUnavailableError):
    """The role of a connection could see the rows of all tenants; the message says how to mend that."""


class Connector:
    """Opens connections to one database."""

    def __init__(self, url: str, seconds: float = LONGEST, tracing: Tracing = OFF) -> None:
        """Connect to `postgresql+asyncpg://…`; nothing is opened yet.

        Args:
            url: of the database.
            seconds: for a statement; one that takes longer raises TimeoutError, and its connection is of no more use.
            tracing: is told of statements.
        """
        self._tracing = tracing
        _, arguments = dialect().create_connect_args(make_url(url))  # type: ignore[no-untyped-call]
        # These are for SQLAlchemy, not for the driver.
        self._arguments = {name: value for name, value in arguments.items() if not name.startswith("prepared_")}
        self._arguments |= {"timeout": min(seconds, _CONNECT_SECONDS), "command_timeout": seconds}

    async def __call__(self, *dsn: None, **more: Any) -> asyncpg.Connection:
        """Open one, with more arguments of `asyncpg.connect` as a pool has them; it has no DSN to give.

        The connection begins as the service's role, which whoever is a member of it may do, a superuser too; it is the
        session's own value, so that a reset leads back to it. Where that role is missing or not granted, the login
        role remains, if row-level security holds for it.

        Raises:
            UnsafeRoleError: it does not.
            asyncpg.PostgresError, OSError: Postgres cannot be reached, or refuses.
        """
        del dsn
        try:
            connection = await self._open(SESSION | {"role": SERVICE_ROLE}, more)
        except (asyncpg.InvalidParameterValueError, asyncpg.InsufficientPrivilegeError):
            connection = await self._open(SESSION, more)
        try:
            # Asked of each one: a pooler may have dropped the role that was asked for.
            if await connection.fetchval(_BYPASSES):
                role = await connection.fetchval("SELECT quote_ident(current_user)")
                raise UnsafeRoleError(
                    f"the database role {role} may bypass row-level security, which keeps tenants apart: "
                    f"run `python -m app migrate`, then `GRANT {SERVICE_ROLE} TO {role}`, "
                    "or name another role in DATABASE_URL"
                )
        except BaseException:
            connection.terminate()
            raise
        if self._tracing.is_on:
            connection.tracing = self._tracing
        return connection

    async def _open(self, settings: dict[str, str], more: dict[str, Any]) -> asyncpg.Connection:
        given = self._arguments | more
        if self._tracing.is_on:
            given["connection_class"] = WatchedConnection
        return await asyncpg.connect(**given, server_settings=settings)


async def refuse_unsafe_role(url: str) -> None:
    """Find out before serving what every connection would run into.

    Raises:
        UnsafeRoleError: row-level security does not hold for the role of `postgresql+asyncpg://…`.
    """
    try:
        connection = await Connector(url)()
    except UnsafeRoleError:
        raise
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
        # A database that is away is no reason to go as well: it may come back, and is asked again then.
        return
    await connection.close()
