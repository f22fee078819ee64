"""Locks that end with the process that holds them, however it ends, so that none can be stale."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.embedded.errors import NotAnswering


@contextmanager
def alone(path: Path, *, seconds: float = 180) -> Iterator[None]:
    """Hold `path` exclusively: starting and stopping happen one at a time over all processes."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        deadline = time.monotonic() + seconds
        while not _lock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise NotAnswering(
                    f"another process has been starting or stopping Postgres for {seconds:.0f} s ({path})"
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


class Share:
    """One of any number of users of something, counted by the kernel."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        if not _lock(self._descriptor, fcntl.LOCK_SH):
            os.close(self._descriptor)
            raise NotAnswering(f"{path} is held exclusively by another process")

    def release(self) -> bool:
        """Give the share back, and return whether it was the last. To be called under `alone` alone."""
        try:
            return _lock(self._descriptor, fcntl.LOCK_EX)
        finally:
            os.close(self._descriptor)


def is_shared(path: Path) -> bool:
    """Whether anyone holds a share."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        return not _lock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
