"""The port: taken before anything else starts, so that a second server fails at once and changes nothing."""

import errno
import socket

from app.cli.errors import CommandError

BACKLOG = 2048


def listen(host: str, port: int, variable: str = "PORT") -> socket.socket:
    """Return a socket that listens, or say in one line why there is none, and which variable names another port.

    Connections that arrive before the server is ready wait in the backlog instead of being refused.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise CommandError(f"cannot listen on {host}: {error.strerror}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise CommandError(
                f"port {port} on {host} is taken, perhaps by another run of Partwise; "
                f"stop that, or choose another port: {variable}={port + 1 if port < 65535 else 8001}"
            ) from error
        raise CommandError(f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def base_url(listener: socket.socket) -> str:
    """Return the URL under which this machine reaches the listener."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
