"""List clients: some of them, in an order, one window at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.core.assessment import Assessment
from app.core.verdict import Verdict
from app.ports.clients import ClientRecord, Clients
from app.use_cases.assess_clients import AssessClients, Ranked
from app.use_cases.viewpoint import Viewpoint

__all__ = ["ListClients", "Listed", "Order", "Place", "Wanted", "Window"]

_Key = tuple[object, ...]
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
class Listed:
    """A client in a list; with its assessment where the list had to make it."""

    record: ClientRecord
    place: Place
    assessment: Assessment | None = None


class ListClients:
    """Lists clients, by the database alone where no assessment is needed."""

    def __init__(self, clients: Clients, assess: AssessClients) -> None:
        """Read clients, and assess them."""
        self._clients = clients
        self._assess = assess

    async def window(
        self, tenant_id: str, viewpoint: Viewpoint, wanted: Wanted, window: Window
    ) -> tuple[list[Listed], bool]:
        """A window of a list, in the list's order, and whether there is more beyond it in its direction."""
        if not wanted.needs_assessments:
            return await self._by_name(tenant_id, wanted, window)
        found = await self._all(tenant_id, viewpoint, wanted)
        begin = bisect_right(found, _key(window.after, wanted), key=lambda one: one[0]) if window.after else 0
        end = bisect_left(found, _key(window.before, wanted), key=lambda one: one[0]) if window.before else len(found)
        if window.backwards:
            chosen, more = found[max(begin, end - window.limit) : end], end - window.limit > begin
        else:
            chosen, more = found[begin : min(begin + window.limit, end)], begin + window.limit < end
        records = await self._clients.several(tenant_id, [ranked.client_id for _, ranked in chosen])
        known = [(records[one.client_id], one) for _, one in chosen if one.client_id in records]
        return [Listed(record, _place(one, record, wanted.order), one.assessment) for record, one in known], more

    async def count(self, tenant_id: str, viewpoint: Viewpoint, wanted: Wanted) -> int:
        """How many clients are wanted."""
        if not wanted.needs_assessments:
            return await self._clients.count(tenant_id, wanted.text)
        return len(await self._all(tenant_id, viewpoint, wanted))

    async def _by_name(self, tenant_id: str, wanted: Wanted, window: Window) -> tuple[list[Listed], bool]:
        forwards = window.backwards == wanted.reverse
        after, before = (window.before, window.after) if wanted.reverse else (window.after, window.before)
        found = await self._clients.page(
            tenant_id,
            wanted.text,
            _names(after),
            _names(before),
            window.limit + 1,
            last=not forwards,
        )
        more = len(found) > window.limit
        # One too many was asked for: it lies at the far end of the direction.
        kept = found[: window.limit] if forwards else found[-window.limit :]
        listed = [Listed(one, (one.name or one.client_id, one.client_id)) for one in kept]
        return listed[::-1] if wanted.reverse else listed, more

    async def _all(self, tenant_id: str, viewpoint: Viewpoint, wanted: Wanted) -> list[tuple[_Key, Ranked]]:
        """All that are wanted with their keys, in order."""
        ranked: Sequence[Ranked] = await self._assess.ranking(
            tenant_id, viewpoint, None, with_change=wanted.order is Order.CHANGE
        )
        records: dict[str, ClientRecord] = {}
        if wanted.text is not None or wanted.order is Order.NAME:
            records = {one.client_id: one for one in await self._clients.all(tenant_id)}
            ranked = [one for one in ranked if one.client_id in records]
        chosen = [one for one in ranked if _fits(one, records.get(one.client_id), wanted)]
        keyed = [(_key(_place(one, records.get(one.client_id), wanted.order), wanted), one) for one in chosen]
        return sorted(keyed, key=lambda pair: pair[0])


def _fits(one: Ranked, record: ClientRecord | None, wanted: Wanted) -> bool:
    found = one.assessment
    if wanted.verdicts and found.verdict not in wanted.verdicts:
        return False
    if wanted.client_types and found.client_type.name not in wanted.client_types:
        return False
    if wanted.signs and found.leading_sign not in wanted.signs:
        return False
    if wanted.text is None:
        return True
    text = wanted.text.lower()
    return text in one.client_id.lower() or (record is not None and text in (record.name or "").lower())


def _place(one: Ranked, record: ClientRecord | None, order: Order) -> Place:
    match order:
        case Order.SCORE:
            return one.assessment.score, one.client_id
        case Order.CHANGE:
            return one.change or 0.0, one.client_id
        case Order.NAME:
            return (record.name if record else None) or one.client_id, one.client_id


def _names(place: Place | None) -> tuple[str, str] | None:
    return None if place is None else (str(place[0]), place[1])


class _Backwards(str):
    """Text in the opposite order."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)

    def __gt__(self, other: str) -> bool:
        return str.__lt__(self, other)


def _key(place: Place, wanted: Wanted) -> _Key:
    """What a list is sorted by: numbers downwards and names upwards, or all of it the other way round."""
    value, client_id = place
    if isinstance(value, str):
        return (_Backwards(value), _Backwards(client_id)) if wanted.reverse else (value, client_id)
    return (value, _Backwards(client_id)) if wanted.reverse else (-value, client_id)
