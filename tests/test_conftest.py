"""The guard that keeps tests on this machine."""

import socket

import pytest

from tests.conftest import BeyondLoopback


def test_a_connection_beyond_loopback_is_refused():
    with socket.socket() as sock, pytest.raises(BeyondLoopback, match=r"192\.0\.2\.1"):
        sock.connect(("192.0.2.1", 80))


def test_a_name_is_not_looked_up():
    with pytest.raises(BeyondLoopback, match=r"partwise\.example"):
        socket.getaddrinfo("partwise.example", 80)


def test_loopback_is_open():
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
