"""Parts of histories while they are put together: events, the state before them, and what that keeps only in sums."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from app.core.events import Event, EventRef
from app.core.events.relationship import EventVoided
from app.core.facts import Base, Change, Invoice, State
from app.core.history import History, Segment
from app.ports.checkpoints import Loaded, StateFormat
from app.store.reads import Reads

__all__ = ["BEGINNING", "Key", "MovedError", "Part", "loaded_from", "look_up"]

T = TypeVar("T", bound=tuple[str, str])

BEGINNING: Final = (datetime(1, 1, 1, tzinfo=UTC), "", "")
"""A place before every event."""
_PUT_AWAY: Final = """
SELECT asked.client_id, client.revision, asked.n, item.state
FROM unnest($3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[])
    WITH ORDINALITY AS asked (client_id, kind, name, "time", source, id, n)
JOIN client ON client.tenant_id = $1 AND client.client_id = asked.client_id
LEFT JOIN LATERAL (
    SELECT state FROM put_away
    WHERE tenant_id = $1 AND client_id = asked.client_id AND policy_version = $2
        AND kind = asked.kind AND name = asked.name
        AND ("time", source, id) <= (asked."time", asked.source, asked.id)
    ORDER BY "time" DESC, source DESC, id DESC
    LIMIT 1
) AS item ON true
"""
# Of each name by itself, so that none but its row is read.
_BEFORE: Final = """
SELECT asked.client_id, client.revision, asked.n, stored.id IS NOT NULL
FROM unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[])
    WITH ORDINALITY AS asked (client_id, source, id, base_time, base_source, base_id, n)
JOIN client ON client.tenant_id = $1 AND client.client_id = asked.client_id
LEFT JOIN LATERAL (
    SELECT event.id FROM event
    WHERE event.tenant_id = $1 AND event.source = asked.source AND event.id = asked.id
        AND event.client_id = asked.client_id
        AND (event."time", event.source, event.id) <= (asked.base_time, asked.base_source, asked.base_id)
    OFFSET 0
) AS stored ON true
"""


@dataclass
class Part:
    """One part of a history while it is put together."""

    revision: int = 0
    state: State | None = None
    events: list[Event] = field(default_factory=list)
    invoices: dict[str, Invoice] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    elsewhere: set[EventRef] = field(default_factory=set)

    @property
    def base(self) -> Base | None:
        """What came before its events."""
        return None if self.state is None else Base(self.state, self.invoices, self.changes, frozenset(self.elsewhere))

    def unknown(self) -> Iterable[tuple[str, str]]:
        """Invoices and changes that something is told of and that the state does not list."""
        if self.state is None:
            return
        kept = self.state.invoices
        names = {("invoice", getattr(event.data, "invoice", None)) for event in self.events}
        names |= {("change", getattr(event.data, "change", None)) for event in self.events}
        for kind, name in names:
            known = kept.open if kind == "invoice" else self.state.work.changes
            if name is not None and name not in known and not (kind == "invoice" and name in kept.early):
                yield kind, name

    def taken_back(self) -> Iterable[EventRef]:
        """Events that are taken back and are not among those of the part: they may lie before it, or nowhere."""
        if self.state is None:
            return
        targets = {EventRef(one.data.source, one.data.id) for one in self.events if isinstance(one.data, EventVoided)}
        if targets:
            yield from sorted(targets - {one.ref for one in self.events} - self.state.voided)


Key = tuple[str, datetime | None]


class MovedError(Exception):
    """Something new was told between two looks."""


async def look_up(reads: Reads, states: StateFormat, tenant_id: str, version: str, parts: Mapping[Key, Part]) -> None:
    """Look up what the states keep only in sums, where something is told of it, and where lies what is taken back.

    Raises:
        MovedError: something was told of one of the clients in between.
    """
    asked = [(key, one) for key, part in parts.items() for one in sorted(part.unknown())]
    rows = await _asked(reads, tenant_id, (_PUT_AWAY, version), parts, asked)
    for (key, (kind, name)), state in rows:
        if state is not None and kind == "invoice":
            parts[key].invoices[name] = states.invoice(state)
        elif state is not None:
            parts[key].changes[name] = states.change(state)
    taken = [(key, ref) for key, part in parts.items() for ref in part.taken_back()]
    for (key, ref), is_before in await _asked(reads, tenant_id, (_BEFORE,), parts, taken):
        if not is_before:
            parts[key].elsewhere.add(ref)


async def _asked(
    reads: Reads,
    tenant_id: str,
    statement: Sequence[str],
    parts: Mapping[Key, Part],
    asked: Sequence[tuple[Key, T]],
) -> list[tuple[tuple[Key, T], Any]]:
    """What is found for some pairs of names in some parts, each with the pair."""
    if not asked:
        return []
    places = [_place(parts[key].state) for key, _ in asked]
    rows = await reads.rows(
        tenant_id,
        *statement,
        [client_id for (client_id, _), _ in asked],
        [first for _, (first, _) in asked],
        [second for _, (_, second) in asked],
        *([place[number] for place in places] for number in range(3)),
    )
    if len(rows) < len(asked) or any(
        revision != parts[asked[number - 1][0]].revision for _, revision, number, _ in rows
    ):
        raise MovedError
    return [(asked[number - 1], found) for _, _, number, found in rows]


def _place(state: State | None) -> tuple[datetime, str, str]:
    last = state.last if state else None
    return BEGINNING if last is None else (last.at, *last.ref)


def loaded_from(parts: Mapping[Key, Part]) -> dict[str, Loaded]:
    """Put histories together from their parts, by client."""
    by_client: dict[str, list[tuple[datetime, Part]]] = defaultdict(list)
    for (client_id, until), part in parts.items():
        if until is not None:
            by_client[client_id].append((until, part))
    found = {}
    for client_id, own in by_client.items():
        own.sort(key=lambda one: one[0])
        history = History(tuple(Segment(part.base, part.events, until) for until, part in own))
        longest = max(len(part.events) for _, part in own)
        found[client_id] = Loaded(own[0][1].revision, history, longest)
    return found
