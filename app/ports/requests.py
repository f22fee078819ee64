"""Requests that are done once, however often they are sent: who is at one, and what was answered."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

__all__ = ["Answered", "Claim", "Claimed", "InFlight", "Other", "RequestKey", "Requests"]


@dataclass(frozen=True, slots=True)
class RequestKey:
    """What a request is known again by.

    Attributes:
        tenant_id, credential: who sends it, with which key or as which user.
        digest: of the name that the sender gave it.
    """

    tenant_id: str
    credential: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do a request, for as long as a lease lasts.

    Attributes:
        request_id: the request's own, the same for whoever does it again.
        token: tells this claim from a later one.
    """

    request_id: str
    token: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """Nobody else is at it: it is to be done."""

    claim: Claim


@dataclass(frozen=True, slots=True)
class Answered:
    """It was done; the answer is sealed."""

    answer: bytes


@dataclass(frozen=True, slots=True)
class InFlight:
    """Somebody is at it, since and until when at most; `now` is the store's own present."""

    since: datetime
    until: datetime
    now: datetime


@dataclass(frozen=True, slots=True)
class Other:
    """Another request has that name."""


class Requests(Protocol):
    """Keeps requests; every method raises `StoreUnavailableError` when it cannot."""

    async def claim(
        self, key: RequestKey, fingerprint: bytes, lease: timedelta, keep: timedelta
    ) -> Claimed | Answered | InFlight | Other:
        """Claim a request, or learn why not.

        Args:
            key: which one.
            fingerprint: tells it from others.
            lease: how long the claim holds; whoever comes after that does it again.
            keep: how long it is known.
        """
        ...

    async def renew(self, key: RequestKey, claim: Claim, lease: timedelta) -> None:
        """Let a claim hold for a whole lease from now on."""
        ...

    async def answer(self, key: RequestKey, claim: Claim, answer: bytes, client_id: str | None) -> None:
        """Keep the answer, unless the claim was lost.

        Args:
            key: which request.
            claim: the right to do it.
            answer: sealed.
            client_id: the client that it tells of: it goes with that client, and is not kept if that has gone already.
        """
        ...

    async def release(self, key: RequestKey, claim: Claim) -> None:
        """Let the next one do it."""
        ...

    async def remove_old(self, most: int) -> int:
        """Remove so many at most that are kept no longer, of all tenants; how many there were."""
        ...
