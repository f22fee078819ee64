"""A mail server that keeps what it is given: as much of SMTP (RFC 5321) as senders need."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Mailbox", "mailbox"]


class Mailbox(socketserver.ThreadingTCPServer):
    """Takes mails for anybody."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.mails: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class _Conversation(socketserver.StreamRequestHandler):
    server: Mailbox

    def handle(self) -> None:
        self._say("220 ready")
        to = ""
        for raw in self.rfile:
            line = raw.decode().strip()
            match line.partition(" ")[0].upper():
                case "DATA":
                    self._say("354 go on")
                    self.server.mails.append((to, self._mail()))
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 goodbye")
                    return
                case "RCPT":
                    to = line.partition("<")[2].partition(">")[0]
                    self._say("250 ok")
                case _:
                    self._say("250 ok")

    def _mail(self) -> bytes:
        lines = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server for as long as the block lasts."""
    with Mailbox() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(10)
