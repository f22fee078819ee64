"""What was worked out recently, kept at hand within a bound."""

from collections import OrderedDict
from typing import Generic, TypeVar

__all__ = ["Recent"]

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """A cache in which the entries asked for longest ago make room."""

    def __init__(self, most: int) -> None:
        """Keep entries of at most so much weight together, and always the newest."""
        self._most = most
        self._weight = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """What is kept, or None."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def values(self) -> list[V]:
        """All that is kept."""
        return [value for value, _ in self._kept.values()]

    def put(self, key: K, value: V, weight: int = 1) -> None:
        """Keep something, in the place of what had its key before."""
        before = self._kept.pop(key, None)
        self._weight += weight - (before[1] if before else 0)
        self._kept[key] = (value, weight)
        while self._weight > self._most and len(self._kept) > 1:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._weight -= dropped

    def drop(self, key: K) -> None:
        """Forget what is kept."""
        dropped = self._kept.pop(key, None)
        if dropped is not None:
            self._weight -= dropped[1]

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._weight = 0
