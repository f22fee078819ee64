"""What every test has: no way beyond loopback, a real Postgres on request, steady examples in CI."""

import ipaddress
import os
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.postgres import database_url, empty_database_url, fresh_database_url, postgres, template_database

__all__ = ["database_url", "empty_database_url", "fresh_database_url", "postgres", "template_database"]

settings.register_profile("default", deadline=None)
# The same examples every time: a red CI means a broken change, not a lucky draw. `make test` draws anew.
settings.register_profile(
    "ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end what tests recorded as their `summary`, whichever worker ran them."""
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            for name, text in report.user_properties:
                if name == "summary":
                    terminalreporter.write_line(str(text))


class BeyondLoopback(AssertionError):
    """A test tried to reach something that is not on this machine."""


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """Refuse connections and look-ups beyond loopback, in whatever library they are made."""
    with pytest.MonkeyPatch.context() as patch:
        for method in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))
        real_getaddrinfo = socket.getaddrinfo

        def getaddrinfo(host, *arguments, **named):
            _check(host)
            return real_getaddrinfo(host, *arguments, **named)

        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


def _guarded(method):
    def checked(self: socket.socket, *arguments):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _check(arguments[-1][0])
        return method(self, *arguments)

    return checked


def _check(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        # 0.0.0.0 and :: are what servers listen on; nobody is reached there but this machine.
        address = ipaddress.ip_address(name.partition("%")[0])
        if address.is_loopback or address.is_unspecified:
            return
    except ValueError:
        pass
    raise BeyondLoopback(f"a test tried to reach {name}; tests stay on this machine")
