"""Memories: facts that were read of clients' histories, kept at hand until something new is told."""

from threading import Lock

from app.core.facts import Facts
from app.core.history import Memory, Remembered
from app.use_cases.recent import Recent

__all__ = ["Memories"]


class Memories:
    """Remembers a bounded number of facts; asked from several threads."""

    def __init__(self, most: int) -> None:
        """Remember so many facts at most."""
        self._kept: Recent[tuple[str, str, int, Remembered], Facts] = Recent(most)
        self._lock = Lock()

    def of(self, tenant_id: str, client_id: str, revision: int) -> Memory:
        """The memory of one client's history, as it is at a revision."""
        return _Memory(self, (tenant_id, client_id, revision))

    def get(self, whose: tuple[str, str, int], name: Remembered) -> Facts | None:
        """Facts that were put."""
        with self._lock:
            return self._kept.get((*whose, name))

    def put(self, whose: tuple[str, str, int], name: Remembered, facts: Facts) -> None:
        """Remember facts."""
        with self._lock:
            self._kept.put((*whose, name), facts)


class _Memory:
    def __init__(self, memories: Memories, whose: tuple[str, str, int]) -> None:
        self._memories = memories
        self._whose = whose

    def get(self, name: Remembered) -> Facts | None:
        return self._memories.get(self._whose, name)

    def put(self, name: Remembered, facts: Facts) -> None:
        self._memories.put(self._whose, name, facts)
