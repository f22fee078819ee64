"""Tallies: what all assessed clients of a tenant add up to, kept as they are stored, so that nobody has to count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from app.core.tally import Sums, Tally
from app.core.verdict import Verdict

__all__ = ["ChangesOfDay", "Tallied", "TalliedClient", "Tallies", "TallyState"]


@dataclass(frozen=True, slots=True)
class TallyState:
    """Which tallies are stored.

    Attributes:
        revision: grows with every change of what is tallied.
        changed_at: when it last grew; None where nothing was tallied yet.
        stale: clients whose assessment is to be made anew, or who have none yet; as many as were counted, at most.
        stale_since: when the first of them became due; None where that is not known.
    """

    revision: int
    changed_at: datetime | None
    stale: int
    stale_since: datetime | None


@dataclass(frozen=True, slots=True)
class ChangesOfDay:
    """How many clients went from one verdict to another on a day of UTC.

    Attributes:
        day: the day on which it was found out.
        before: None where a client was assessed for the first time.
        after: None where a client was erased.
        clients: how many.
    """

    day: date
    before: Verdict | None
    after: Verdict | None
    clients: int


@dataclass(frozen=True, slots=True)
class TalliedClient:
    """What one client adds."""

    client_id: str
    name: str | None
    tally: Tally


@dataclass(frozen=True, slots=True)
class Tallied:
    """All of it as of one moment.

    Attributes:
        state: which one it is.
        sums: of all clients.
        changes: of some days.
        first: clients with the highest scores, the highest first.
    """

    state: TallyState
    sums: Sums
    changes: Sequence[ChangesOfDay]
    first: Sequence[TalliedClient]


class Tallies(Protocol):
    """Keeps the tallies of a tenant; every method raises `StoreUnavailableError` when it cannot.

    They change in the transactions that store assessments and that erase clients. What a read costs does not depend on
    how many clients there are.
    """

    async def state(self, tenant_id: str, most: int) -> TallyState:
        """Which tallies are stored; stale clients are counted up to so many."""
        ...

    async def read(self, tenant_id: str, most: int, since: date, first: int) -> Tallied:
        """All tallies.

        Args:
            tenant_id: whose.
            most: stale clients are counted up to so many.
            since: the first day whose changes are wanted.
            first: how many clients.
        """
        ...

    async def differences(self, tenant_id: str) -> Mapping[tuple[str, str], tuple[Decimal, Decimal]]:
        """Sums that are not what the stored tallies of all clients come to: what is kept, and what it comes to.

        It reads all clients.
        """
        ...

    async def mend(self, tenant_id: str) -> bool:
        """Put the sums right where they are of other clients than there are; whether they were wrong.

        An earlier version of this program, running beside this one, erases clients and leaves the sums as they are.
        """
        ...

    async def fold(self, before: date) -> bool:
        """Put changes of days before one together, for some tenant; whether there was one."""
        ...
