"""Stored portfolios: what a tenant's clients show together, so that no read need look at all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from app.core.portfolio import Portfolio, Share

__all__ = ["ClientShare", "DayOf", "PortfolioFormat", "PortfolioState", "PutTogether", "StoredPortfolios"]


@dataclass(frozen=True, slots=True)
class DayOf:
    """What a share is of: the tenant's local day that begins, and the policy's version."""

    day: date
    policy_version: str


@dataclass(frozen=True, slots=True)
class ClientShare:
    """One client's share, and the client's revision, which was read before its events."""

    client_id: str
    revision: int
    share: Share


@dataclass(frozen=True, slots=True)
class PortfolioState:
    """Which portfolio is stored.

    Attributes:
        number: names its content; 0 while there is none.
        of: its day and policy; None while there is none.
        changes: grows with every change of a share.
        clients, revisions: how many clients it is made of, and the sum of their revisions.
        fingerprint: of those clients and revisions, where they are few.
        few: whether the clients are few now.
        fingerprint_now: of the clients and revisions that there are now, where they are few.
    """

    number: int
    of: DayOf | None
    changes: int
    clients: int
    revisions: int
    fingerprint: int
    few: bool
    fingerprint_now: int


@dataclass(frozen=True, slots=True)
class PutTogether:
    """A portfolio; the rates in it by client, and the revisions of all clients that it was put together from."""

    of: DayOf
    portfolio: Portfolio
    log_rates: Mapping[str, tuple[float, float]]
    revisions: Mapping[str, int]


class StoredPortfolios(Protocol):
    """Keeps one portfolio a tenant, the present one; every method raises `StoreUnavailableError` when it cannot."""

    async def claim(self, seconds: float) -> str | None:
        """A tenant whose portfolio is to be put together anew, for nobody else to claim for so long; None for none."""
        ...

    async def extend(self, tenant_id: str, seconds: float) -> None:
        """Claim it for longer."""
        ...

    async def state(self, tenant_id: str, few: int) -> PortfolioState:
        """Which portfolio is stored, and what became of its clients where they are few."""
        ...

    async def load(self, tenant_id: str) -> tuple[int, Portfolio] | None:
        """The stored portfolio with its number; None while there is none that this program can read."""
        ...

    async def put(self, tenant_id: str, state: PortfolioState, made: PutTogether, seconds: float) -> int | None:
        """Store a portfolio; it stays due until it is settled, for who stores it and then for anybody.

        Args:
            tenant_id: whose.
            state: read before the shares were.
            made: the portfolio.
            seconds: so long nobody else claims it.

        Returns:
            Its number, which is the old one where it is the same; None when somebody else has stored one meanwhile.
        """
        ...

    async def settle(self, tenant_id: str, state: PortfolioState, number: int, until: datetime) -> None:
        """Let the portfolio of a number be due no more: all clients who were held against another one are due.

        Args:
            tenant_id: whose.
            state: the one that it was stored with; where shares have changed since, it is soon due again.
            number: the portfolio's.
            until: when it is to be put together anew, at the latest.
        """
        ...

    async def hasten(self, tenant_id: str) -> None:
        """Let the stored portfolio be put together anew as soon as a worker can."""
        ...

    async def spread(self, tenant_id: str, number: int, after: str | None, most: int) -> str | None:
        """Let some clients be due whose stored assessment was held against a portfolio of another number.

        Returns:
            The last one, from which to go on; None when these were the last.
        """
        ...

    async def outdated(self, tenant_id: str, of: DayOf, after: str, most: int) -> dict[str, int]:
        """Clients by id from one on, with their revisions, whose share is not the newest one of a day."""
        ...

    async def shares(
        self, tenant_id: str, of: DayOf, client_ids: Sequence[str] | None = None
    ) -> dict[str, ClientShare]:
        """The shares of a day, of all clients or of some."""
        ...

    async def keep(self, tenant_id: str, of: DayOf, shares: Sequence[ClientShare], *, changed: bool) -> None:
        """Store shares of clients that are there.

        Args:
            tenant_id: whose.
            of: their day.
            shares: the shares.
            changed: whether the portfolio is to be put together anew: at once for a few clients, and the later the more
                there are, so that a large tenant's worker has other things to do too.
        """
        ...


class PortfolioFormat(Protocol):
    """Reads and writes portfolios and shares; what is read equals what was written."""

    def dump(self, made: PutTogether) -> tuple[bytes, bytes]:
        """Write a portfolio: what the clients show together, and the rate of each."""
        ...

    def load(self, content: bytes, rates: bytes) -> Portfolio | None:
        """Read one; None where another version of the format wrote it."""
        ...

    def dump_share(self, share: Share) -> bytes:
        """Write a share."""
        ...

    def load_share(self, content: bytes) -> Share | None:
        """Read one; None where another version of the format wrote it."""
        ...
