"""Stored assessments: the newest of each client, so that a list need not make them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.core.assessment import Assessment
from app.core.tally import Tally
from app.core.verdict import Verdict
from app.ports.clients import ClientRecord

__all__ = [
    "AssessmentFormat",
    "Assessments",
    "Backlog",
    "Counted",
    "ListedBy",
    "Made",
    "Order",
    "Place",
    "Seen",
    "Stored",
    "VerdictChange",
    "Wanted",
    "Window",
]

Place = tuple[float | str, str]
"""A client's place in an order: what it is ordered by, and its id."""


class Order(StrEnum):
    """What clients are ordered by; each has a direction that is usual."""

    SCORE = "score"
    NAME = "name"
    CHANGE = "change"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which clients: those that match every given field.

    Attributes:
        verdicts: any of these verdicts; empty for all.
        client_types: any of these types; empty for all.
        signs: any of these signs weighs most; empty for all.
        text: a part of the name or of the id, in any case.
        order: by score (the highest first), by name (or id where there is none), or by the change of the score in the
            last 30 days (what got worse most first).
        reverse: the other way round.
    """

    verdicts: frozenset[Verdict] = frozenset()
    client_types: frozenset[str] = frozenset()
    signs: frozenset[str] = frozenset()
    text: str | None = None
    order: Order = Order.SCORE
    reverse: bool = False

    @property
    def needs_assessments(self) -> bool:
        """Whether who is wanted, or where, depends on assessments."""
        return bool(self.verdicts or self.client_types or self.signs) or self.order is not Order.NAME


@dataclass(frozen=True, slots=True)
class Window:
    """A part of a list: `limit` items at most between two places, from its begin or, `backwards`, from its end."""

    limit: int
    after: Place | None = None
    before: Place | None = None
    backwards: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """An assessment that was made, with what it was made from.

    Attributes:
        client_id: whose.
        revision: the client's, read before its events.
        portfolio: the number of the portfolio that it was held against.
        holds_until: from then on it is to be made anew, though nothing happened.
        change: of the score, in the last 30 days.
        assessment: the assessment.
        tally: what the client adds to the tenant's tallies; empty where a version of this program stored it that kept
            none.
    """

    client_id: str
    revision: int
    portfolio: int
    holds_until: datetime
    change: float
    assessment: Assessment
    tally: Tally


@dataclass(frozen=True, slots=True)
class ListedBy:
    """What a stored assessment is listed by, beside its content."""

    score: float
    change: float
    verdict: str
    client_type: str
    leading_sign: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A stored assessment beside what is known of its client.

    Attributes:
        record: the client.
        place: in the order that was asked for.
        as_of: the instant that it was made for.
        made: the assessment; None where a version of this program stored it that this one cannot read.
        listed: what it is listed by.
        content: it, as it is stored.
    """

    record: ClientRecord
    place: Place
    as_of: datetime
    made: Made | None
    listed: ListedBy
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """How far a stored assessment goes: it counts the events up to a revision, and was made for an instant."""

    revision: int
    as_of: datetime


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """That a stored verdict became another one; `before` is None for a client's first."""

    client_id: str
    before: Verdict | None
    after: Verdict
    as_of: datetime


@dataclass(frozen=True, slots=True)
class Counted:
    """All stored assessments of a tenant, counted by verdict, type and leading sign; and the median score."""

    groups: Sequence[tuple[Verdict, str, str | None, int]]
    median: float | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is due at present: how many clients (as many as were counted, at most), and seconds since the first was."""

    clients: int
    seconds: float


class Assessments(Protocol):
    """Keeps the newest assessment of each client; every method raises `StoreUnavailableError` when it cannot."""

    async def claim(self, most: int, seconds: float, *, newest: bool = False) -> list[tuple[str, str]]:
        """Some clients of whatever tenant that are due, as (tenant, client), for nobody else to claim for so long.

        Args:
            most: at most so many.
            seconds: how long they are ours; whoever dies meanwhile loses nothing but time.
            newest: those that became due last, not first.
        """
        ...

    async def backlog(self, most: int = 10_000) -> Backlog:
        """What is due, across tenants."""
        ...

    async def due(self, tenant_id: str, most: int) -> list[str]:
        """Some clients of a tenant that are due."""
        ...

    async def outdated(self, tenant_id: str, portfolio: int, most: int) -> list[str]:
        """Some clients whose stored assessment is not the newest that could be made; reads all clients."""
        ...

    async def ahead(self, tenant_id: str, client_ids: Sequence[str], instant: datetime) -> dict[str, datetime]:
        """For some clients, when their first event after an instant happens; who has none is left out."""
        ...

    async def seen(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, Seen]:
        """How far the stored assessments of some clients go; who has none is left out."""
        ...

    async def forgotten(self, tenant_id: str, portfolio: int) -> list[str]:
        """Clients whose stored assessment is not the newest and who are not due either: there are to be none."""
        ...

    async def keep(self, tenant_id: str, made: Sequence[Made]) -> list[VerdictChange]:
        """Store assessments, unless newer ones are, and note until when they hold.

        A client of which more has been told since, or whose portfolio is another one since, stays due. A client that is
        not there any more is passed over.
        """
        ...

    async def window(self, tenant_id: str, wanted: Wanted, window: Window) -> tuple[list[Stored], bool]:
        """A window of the stored list, in the list's order, and whether there is more beyond it in its direction."""
        ...

    async def count(self, tenant_id: str, wanted: Wanted) -> int:
        """How many clients with a stored assessment are wanted."""
        ...

    async def counted(self, tenant_id: str) -> Counted:
        """How all stand together."""
        ...

    async def several(self, tenant_id: str, client_ids: Sequence[str]) -> Mapping[str, Stored]:
        """The stored assessments of some clients; their place is that by score."""
        ...


class AssessmentFormat(Protocol):
    """Reads and writes assessments; what is read equals what was written."""

    def dump(self, assessment: Assessment) -> bytes:
        """Write one."""
        ...

    def load(self, content: bytes) -> Assessment | None:
        """Read one; None where another version of the format wrote it."""
        ...
