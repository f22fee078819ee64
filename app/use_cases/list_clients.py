"""List clients: some of them, in an order, one window at a time."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from app.core.assessment import Assessment
from app.ports.assessments import Assessments, Counted, Order, Place, Stored, Wanted, Window
from app.ports.clients import ClientRecord, Clients
from app.ports.clock import Clock
from app.use_cases.assess_clients import AssessClients, Ranked
from app.use_cases.cases import assessments_of
from app.use_cases.purposes import Purpose
from app.use_cases.reassess import Reassess
from app.use_cases.recent import Recent
from app.use_cases.viewpoint import Viewpoint

__all__ = ["ListClients", "Listed", "Order", "Part", "Place", "Wanted", "Window"]

_Key = tuple[object, ...]
_COUNTED_EACH_TIME: Final = 1_000
_COUNT_HOLDS: Final = timedelta(seconds=5)
"""How long a count of more than those is taken to hold, for counting takes as long as there are clients."""
_COUNTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Listed:
    """A client in a list; with its assessment where the list is by assessments."""

    record: ClientRecord
    place: Place
    assessment: Assessment | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a list.

    Attributes:
        items: in the list's order.
        more: whether there is more beyond them, in the direction that was asked for.
        stale: how many clients may have another place, or none yet, because they are still to be assessed.
    """

    items: list[Listed]
    more: bool
    stale: int = 0


class ListClients:
    """Lists clients: as they stand now by the database alone, from another viewpoint by assessing all of them."""

    def __init__(
        self, clients: Clients, assessments: Assessments, reassess: Reassess, assess: AssessClients, clock: Clock
    ) -> None:
        """Read clients and stored assessments, which are brought up to date before, or assess all."""
        self._clients = clients
        self._assessments = assessments
        self._reassess = reassess
        self._assess = assess
        self._clock = clock
        self._counts: Recent[tuple[str, Wanted], tuple[int, datetime]] = Recent(_COUNTS)
        self._together: Recent[str, tuple[Counted, datetime]] = Recent(_COUNTS)

    async def window(self, tenant_id: str, viewpoint: Viewpoint | None, wanted: Wanted, window: Window) -> Part:
        """A part of a list.

        Args:
            tenant_id: whose.
            viewpoint: from when one looks; None for now, which is answered from what is stored: each assessment says as
                of when it was made, and a list moves on between two of its pages.
            wanted: which clients, in which order.
            window: which part.
        """
        if not wanted.needs_assessments:
            return Part(*await self._by_name(tenant_id, wanted, window))
        if viewpoint is None:
            return await self._stored(tenant_id, wanted, window)
        found = await self._all(tenant_id, viewpoint, wanted)
        begin = bisect_right(found, _key(window.after, wanted), key=lambda one: one[0]) if window.after else 0
        end = bisect_left(found, _key(window.before, wanted), key=lambda one: one[0]) if window.before else len(found)
        if window.backwards:
            chosen, more = found[max(begin, end - window.limit) : end], end - window.limit > begin
        else:
            chosen, more = found[begin : min(begin + window.limit, end)], begin + window.limit < end
        records = await self._clients.several(tenant_id, [ranked.client_id for _, ranked in chosen])
        known = [(records[one.client_id], one) for _, one in chosen if one.client_id in records]
        items = [Listed(record, _place(one, record, wanted.order), one.assessment) for record, one in known]
        return Part(items, more)

    async def count(self, tenant_id: str, viewpoint: Viewpoint | None, wanted: Wanted) -> int:
        """How many clients are wanted; of many, how many there were a few seconds ago."""
        if wanted.needs_assessments and viewpoint is not None:
            return len(await self._all(tenant_id, viewpoint, wanted))
        key = (tenant_id, replace(wanted, reverse=False))
        kept = self._counts.get(key)
        now = self._clock.now()
        if kept is not None and now - kept[1] < _COUNT_HOLDS:
            return kept[0]
        if wanted.needs_assessments:
            found = await self._assessments.count(tenant_id, wanted)
        else:
            found = await self._clients.count(tenant_id, wanted.text)
        if found > _COUNTED_EACH_TIME:
            self._counts.put(key, (found, now))
        return found

    async def together(self, tenant_id: str) -> Counted:
        """How all clients stand now, counted; of many, how they stood a few seconds ago."""
        kept = self._together.get(tenant_id)
        now = self._clock.now()
        if kept is not None and now - kept[1] < _COUNT_HOLDS:
            return kept[0]
        await self._reassess.freshen(tenant_id)
        found = await self._assessments.counted(tenant_id)
        if sum(count for *_, count in found.groups) > _COUNTED_EACH_TIME:
            self._together.put(tenant_id, (found, now))
        return found

    async def _stored(self, tenant_id: str, wanted: Wanted, window: Window) -> Part:
        stale = await self._reassess.freshen(tenant_id)
        found, more = await self._assessments.window(tenant_id, wanted, window)
        unread = await self._made_anew(tenant_id, [one for one in found if one.made is None])
        items = [
            Listed(one.record, one.place, one.made.assessment if one.made else unread.get(one.record.client_id))
            for one in found
        ]
        return Part(items, more, stale)

    async def _made_anew(self, tenant_id: str, unread: Sequence[Stored]) -> dict[str, Assessment]:
        """What another version of this program stored, which this one cannot read."""
        if not unread:
            return {}
        viewpoint = Viewpoint(self._clock.now())
        cases = await self._assess.cases.several(tenant_id, [one.record.client_id for one in unread], viewpoint)
        return dict(zip(cases, await assessments_of(list(cases.values()), Purpose.LIST), strict=True))

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
    text = _lower(wanted.text)
    return text in _lower(one.client_id) or (record is not None and text in _lower(record.name or ""))


def _lower(text: str) -> str:
    """Letter by letter, as Postgres does: Python looks at a letter's neighbours, and makes two of one of them."""
    return text.lower() if text.isascii() else "".join(map(str.lower, text.replace("İ", "i")))


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
