"""`serve`: the HTTP server alone, as production runs it."""

import asyncio
import gc
import logging
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
import uvicorn

from app.cli.database import tell
from app.cli.ending import ending_cleanly
from app.cli.errors import CommandError
from app.cli.listening import BACKLOG, base_url, listen
from app.cli.operators import beside, operators_listener
from app.logs.lines import Lines, set_up
from app.settings import Settings, read_settings
from app.tracing import variables
from app.tracing.start import start

if TYPE_CHECKING:
    from app.composition import Server

# Requests in flight get this long once no more connections are taken; Kubernetes kills at forty seconds.
DRAIN_SECONDS = 20
_TICK = 0.1

# Connections to the database, files and spools of answers.
_OTHER_FILES = 1000


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [default: PORT, or 8000].")] = None,
) -> None:
    """Serve HTTP from DATABASE_URL, in one process; the schema must be up to date (see `migrate`)."""
    settings = read_settings()
    if not settings.database_url:
        raise CommandError("DATABASE_URL is not set; `python -m app run` brings a Postgres of its own")
    with ending_cleanly():
        listener = listen(host or settings.host, settings.port if port is None else port)
        serve_until_told(settings, listener, lambda lines: _tell_where(lines, base_url(listener)))


def _tell_where(lines: Lines, url: str) -> None:
    if lines.form == "json":
        logging.getLogger("partwise.serve").info("listening", extra={"url": url})
    else:
        tell(f"Partwise listens on {url}")


def serve_until_told(settings: Settings, listener: socket.socket, when_ready: Callable[[Lines], None]) -> None:
    """Serve on a socket that listens already, until a signal says to end; requests in flight are finished.

    Raises:
        UnsafeRoleError: the database role could see the rows of all tenants.
    """
    variables.check(os.environ)
    # FastAPI reads some of the same variables as it is imported.
    from app.composition import create_server
    from app.edge.access_lines import LOGGER
    from app.edge.connections import Limits, limited
    from app.store.connection import refuse_unsafe_role

    asyncio.run(refuse_unsafe_role(settings.database_url or ""))
    lines = set_up(settings.log_level or "info", settings.log_format)
    tracing = start(os.environ)
    lines.trace_by(tracing.ids)
    _allow_open_files(settings.connections)
    limits = Limits(
        head_seconds=settings.head_seconds,
        body_seconds=settings.body_seconds,
        body_rate=settings.body_rate,
        read_seconds=settings.read_seconds,
        connections=settings.connections,
    )
    made = create_server(settings, tracing, lines.gathered(LOGGER))
    config = uvicorn.Config(
        made.rest,
        loop="uvloop",
        http=limited(limits, made.ending, made.refused, made.rest.sockets),
        # Ours are made by `limited`.
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Which proxies are believed is a setting of ours (app/edge/rates.py).
        proxy_headers=False,
        backlog=BACKLOG,
        # A pipelined request begins in the task of the one before it, and is not about its tenant.
        reset_contextvars=True,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    with operators_listener(settings) as operators:
        server = _Server(config, made, operators, settings.drain_delay, lambda: when_ready(lines))
        # Uvicorn drains on SIGINT and SIGTERM; a closed terminal deserves the same.
        before = signal.signal(signal.SIGHUP, server.handle_exit)
        try:
            server.run(sockets=[listener])
        finally:
            signal.signal(signal.SIGHUP, before)
            listener.close()
            tracing.close()
            lines.flush()
    if not server.started:
        raise CommandError("the server could not start; the lines above say why")


def _allow_open_files(connections: int) -> None:
    """Let the process open a file for each connection, and those that it needs itself, if the system lets it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _give_way_soon() -> None:
    """Let the loop have the interpreter back from a thread that computes after half a millisecond, not after five.

    A request takes several turns of the loop, and would wait that long for each.
    """
    sys.setswitchinterval(0.0005)


def _spare_the_collector() -> None:
    """Let the garbage collector look at what is new, not at all that was loaded or is kept at hand."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


class _Server(uvicorn.Server):
    """Uvicorn, telling when it answers, and not ready from the moment on that it is told to end."""

    def __init__(
        self,
        config: uvicorn.Config,
        made: "Server",
        operators: socket.socket | None,
        drain_delay: float,
        when_ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._made = made
        self._operators = operators
        self._drain_delay = drain_delay
        self._when_ready = when_ready

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve, and the operators beside, to the end."""
        async with beside(self._made.operators, self._operators):
            await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then tell."""
        await super().startup(sockets=sockets)
        if self.started:
            _spare_the_collector()
            _give_way_soon()
            self._when_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end: probes are told at once."""
        self._made.ending.begin()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Go on for a while, as load balancers need time to notice; then take no more connections, and finish."""
        now = asyncio.get_running_loop().time
        ends = now() + self._drain_delay
        while not self.force_exit and (left := ends - now()) > 0:
            await asyncio.sleep(min(left, _TICK))
            # Answers go on to tell the time.
            await self.on_tick(0)
        await super().shutdown(sockets)
