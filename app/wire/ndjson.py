"""NDJSON: a body of any length, line by line, in constant memory."""

from collections.abc import Iterator

__all__ = ["LINE_LIMIT", "LineTooLongError", "Lines"]

LINE_LIMIT = 256 * 1024
"""Bytes of one line at most; CloudEvents asks for 64 KiB at least."""


class LineTooLongError(Exception):
    """A line is longer than the limit; what follows it cannot be told apart any more."""


class Lines:
    """Cuts chunks of bytes into lines; LF and CRLF end one."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        """Begin with nothing; no line may be longer than `limit` bytes."""
        self._rest = bytearray()
        self._limit = limit

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The lines that a further chunk completes, blank ones included, without their ends.

        Raises:
            LineTooLongError: a line passes the limit.
        """
        head, newline, tail = chunk.partition(b"\n")
        self._rest += head
        if len(self._rest) > self._limit:
            raise LineTooLongError(f"a line is longer than {self._limit} bytes")
        if not newline:
            return
        yield bytes(self._rest).rstrip(b"\r")
        self._rest.clear()
        *lines, rest = tail.split(b"\n")
        for line in lines:
            if len(line) > self._limit:
                raise LineTooLongError(f"a line is longer than {self._limit} bytes")
            yield line.rstrip(b"\r")
        self._rest += rest

    def end(self) -> Iterator[bytes]:
        """The last line, where it has no end of its own."""
        if self._rest:
            yield bytes(self._rest).rstrip(b"\r")
            self._rest.clear()
