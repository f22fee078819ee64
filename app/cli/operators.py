"""The port of operators: a listener of its own in the same process, beside whatever else that does."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn

from app.cli.database import tell
from app.cli.listening import BACKLOG, base_url, listen
from app.settings import Settings

__all__ = ["beside", "operators_listener"]

_CONNECTIONS = 100
_END_SECONDS = 2


@contextmanager
def operators_listener(settings: Settings) -> Iterator[socket.socket | None]:
    """A socket that listens on the port of operators for as long as the block lasts; None where there is no such port.

    Raises:
        CommandError: the port is taken.
    """
    if settings.metrics_port is None:
        yield None
        return
    with listen(settings.metrics_host or settings.host, settings.metrics_port, "PARTWISE_METRICS_PORT") as listener:
        tell(f"Operators find /metrics, /livez and /readyz at {base_url(listener)}")
        yield listener


@asynccontextmanager
async def beside(app: Any, listener: socket.socket | None) -> AsyncIterator[None]:
    """Serve an application on a socket while the block lasts, in the same loop."""
    if listener is None:
        yield
        return
    from app.edge.connections import Limits, limited

    config = uvicorn.Config(
        app,
        http=limited(Limits(connections=_CONNECTIONS)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=_END_SECONDS,
    )
    server = _Beside(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Beside(uvicorn.Server):
    """Uvicorn without ears for signals: whoever it serves beside has those."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
