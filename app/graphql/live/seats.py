"""How many may be there at once: connections, subscriptions."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from app.use_cases.keys import Principal

__all__ = ["FullError", "Seats"]


class FullError(Exception):
    """There is no room for another one."""

    def __init__(self, message: str, *, is_ours: bool) -> None:
        """Say for whom; `is_ours` where the process as a whole is full."""
        super().__init__(message)
        self.is_ours = is_ours


class Seats:
    """Counts what is taken, in all, by tenant and by key."""

    def __init__(self, what: str, most: int, of_tenant: int, of_key: int) -> None:
        """Let at most so many of something be there at once."""
        self._what = what
        self._most = most
        self._of_tenant = of_tenant
        self._of_key = of_key
        self._taken = 0
        self._by_tenant: Counter[str] = Counter()
        self._by_key: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def taken(self, principal: Principal) -> Iterator[None]:
        """Take one for as long as the block lasts.

        Raises:
            FullError: there is none left.
        """
        tenant, key = principal.tenant_id, (principal.tenant_id, principal.name)
        if self._by_key[key] >= self._of_key:
            raise FullError(f"a key may have {self._of_key:,} {self._what} at once on a server", is_ours=False)
        if self._by_tenant[tenant] >= self._of_tenant:
            raise FullError(f"a tenant may have {self._of_tenant:,} {self._what} at once on a server", is_ours=False)
        if self._taken >= self._most:
            raise FullError(f"there are too many {self._what} on this server; try again", is_ours=True)
        self._taken += 1
        self._by_tenant[tenant] += 1
        self._by_key[key] += 1
        try:
            yield
        finally:
            self._taken -= 1
            _leave(self._by_tenant, tenant)
            _leave(self._by_key, key)


def _leave(counted: "Counter[Any]", name: object) -> None:
    counted[name] -= 1
    if not counted[name]:
        del counted[name]
