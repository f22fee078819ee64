"""The embedded Postgres as the rest of the service sees it."""

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from app.embedded.binaries import Binaries
from app.embedded.cluster import Credentials, ensure_cluster
from app.embedded.errors import EmbeddedPostgresError, StillInUse
from app.embedded.folder import Folder
from app.embedded.locks import Share, alone, is_shared
from app.embedded.postmaster import Postmaster

OWNER = "partwise"
# The service's role, and a login that may do nothing but take it.
SERVICE = "partwise_service"
LOGIN = "partwise_login"
DATABASE = "partwise"
WATCH_SECONDS = 0.5


class EmbeddedPostgres:
    """A Postgres that lives in a folder and runs while anyone uses it.

    Any number of processes may start it on the same folder; they share one server, and the last of them to
    stop stops it. A server that nobody stopped, because its last user was killed, is adopted by the next to
    start, after proof that it answers and works on this folder's data.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self._folder = Folder(Path(home).expanduser().resolve())
        self._durable = durable
        self._share: Share | None = None
        self._port: int | None = None

    def __enter__(self) -> "EmbeddedPostgres":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Return the port on 127.0.0.1."""
        if self._port is None:
            raise EmbeddedPostgresError("the embedded Postgres was not started")
        return self._port

    def start(self) -> str:
        """Start or adopt the server, and return the URL of the service's database, which exists then."""
        binaries = Binaries.find()
        self._folder.make()
        with alone(self._folder.turn):
            share = self._share or Share(self._folder.users)
            try:
                ensure_cluster(self._folder, binaries, durable=self._durable)
                postmaster = Postmaster(self._folder, binaries)
                self._port = postmaster.ensure_ready(durable=self._durable, port=self._port).port
                self._ensure_roles(postmaster)
            except BaseException:
                # Also a Ctrl-C in the middle: what was started for nobody is stopped again.
                if share is not self._share and share.release():
                    with contextlib.suppress(EmbeddedPostgresError, OSError):
                        self._postmaster().stop()
                raise
            self._share = share
        return self.create_database(DATABASE)

    def stop(self) -> bool:
        """Let go of the server, and return whether that stopped it: the last user's does."""
        if self._share is None:
            return False
        with alone(self._folder.turn):
            share, self._share = self._share, None
            if not share.release():
                return False
            self._postmaster().stop()
            return True

    def stop_unowned(self, *, force: bool = False) -> bool:
        """Stop a server that was left behind (with `force`, also one in use); return whether one ran."""
        if not self._folder.postgres.exists():
            return False
        self._folder.make()
        with alone(self._folder.turn):
            postmaster = Postmaster(self._folder, Binaries.find())
            if postmaster.running() is None:
                return False
            if not force and is_shared(self._folder.users):
                raise StillInUse(
                    f"the Postgres in {self._folder.postgres} is in use by a running server; stop that first"
                )
            postmaster.stop()
            return True

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Create a database unless it exists, and return its URL."""
        with alone(self._folder.turn):
            postmaster = self._postmaster()
            exists = postmaster.ask(
                self.port,
                f"select 1 from pg_database where datname = '{_checked(name)}'",  # noqa: S608
            )
            if not exists.strip():
                postmaster.ask(
                    self.port,
                    f'create database "{name}" owner {OWNER} template "{_checked(template)}"',
                    seconds=120,
                )
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, whoever is connected to it."""
        with alone(self._folder.turn):
            self._postmaster().ask(self.port, f'drop database if exists "{_checked(name)}" with (force)')

    def url(self, database: str = DATABASE) -> str:
        """Return the URL of a database, for the role that owns it."""
        password = Credentials.read(self._folder).owner
        return f"postgresql+asyncpg://{OWNER}:{password}@127.0.0.1:{self.port}/{_checked(database)}"

    def service_url(self, database: str = DATABASE) -> str:
        """Return the URL of a database, for the role that owns nothing; its rights are given by the migrations."""
        password = Credentials.read(self._folder).service
        return f"postgresql+asyncpg://{LOGIN}:{password}@127.0.0.1:{self.port}/{_checked(database)}"

    def ensure_running(self) -> bool:
        """Bring the server back if it died, on the same port where that is free; return whether it had."""
        if self._share is None or self._postmaster().running() is not None:
            return False
        self.start()
        return True

    @contextlib.contextmanager
    def watched(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Restart the server whenever it dies, until the block ends; `tell` hears about it in one line."""
        ended = threading.Event()

        def watch() -> None:
            said = ""
            while not ended.wait(WATCH_SECONDS):
                message = ""
                try:
                    if self.ensure_running():
                        message = "the embedded Postgres had died; it recovered and answers again"
                except EmbeddedPostgresError as error:
                    message = f"the embedded Postgres died and does not come back yet: {error}"
                if message and message != said:
                    tell(message)
                said = message

        thread = threading.Thread(target=watch, name="embedded-postgres-watch", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()

    def _postmaster(self) -> Postmaster:
        return Postmaster(self._folder, Binaries.find())

    def _ensure_roles(self, postmaster: Postmaster) -> None:
        """Create the role that owns the service's databases, and the one that the service works under.

        Neither is a superuser, so that row-level security holds here as in production; the owner may create databases
        and roles, as an operator would.
        """
        credentials = Credentials.read(self._folder)
        postmaster.ask(
            self.port,
            f"""
            do $$ begin
                if not exists (select from pg_roles where rolname = '{OWNER}') then
                    create role {OWNER} login createdb createrole password '{credentials.owner}';
                    alter role {OWNER} set createrole_self_grant = 'set, inherit';
                end if;
                if not exists (select from pg_roles where rolname = '{SERVICE}') then
                    create role {SERVICE} nologin;
                end if;
                if not exists (select from pg_roles where rolname = '{LOGIN}') then
                    create role {LOGIN} login password '{credentials.service}' in role {SERVICE};
                end if;
            end $$;
            """,  # noqa: S608
        )


def _checked(name: str) -> str:
    """Return the name if it can stand in a statement and a URL as it is."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", name):
        raise EmbeddedPostgresError(f"{name!r} is no name for a database: use a-z, 0-9 and _, at most 63")
    return name
