"""`python -m app.cli.probe`: whether the process in the same container lives; a HEALTHCHECK where there is no curl.

It reads the few variables that it needs by itself, and loads nothing else: it is run every few seconds.
"""

import os
import socket
import sys
from collections.abc import Mapping

__all__ = ["address", "main"]

SECONDS = 2.0


def address(environment: Mapping[str, str]) -> tuple[str, int]:
    """Where this machine reaches the health checks of a process with this environment."""
    operators = environment.get("PARTWISE_METRICS_PORT")
    host = environment.get("PARTWISE_HOST") or "127.0.0.1"
    if operators:
        host = environment.get("PARTWISE_METRICS_HOST") or host
    reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
    return reached, int(operators or environment.get("PORT") or 8000)


def main(environment: Mapping[str, str], path: str = "/livez") -> int:
    """Ask; 0 where the answer is 200, else 1, and a line that says why."""
    host, port = address(environment)
    try:
        with socket.create_connection((host, port), SECONDS) as connection:
            connection.settimeout(SECONDS)
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            status = connection.makefile("rb").readline(200).decode("latin-1").split(" ")
    except OSError as error:
        sys.stderr.write(f"{host}:{port} does not answer: {error}\n")
        return 1
    if status[1:2] == ["200"]:
        return 0
    sys.stderr.write(f"{path} answered {' '.join(status).strip()}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(os.environ, *sys.argv[1:2]))
