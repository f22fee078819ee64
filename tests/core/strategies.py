"""Hypothesis strategies for the whole event catalogue, drawn from the annotations that the decoder checks too."""

from dataclasses import MISSING, fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from app.core.events import CATALOGUE, Event, EventData
from app.core.events.fields import Bounds, Iso4217, Length, PastOrFuture, ZoneName

BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 500
NOW = BEGIN + timedelta(days=DAYS)

# Few names, so that events meet: a payment finds its invoice, an approval its change.
_POOLS = {
    "invoice": ["INV-1", "INV-2", "INV-3"],
    "contract": ["main", "other"],
    "change": ["C-1", "C-2"],
    "agreement": ["main", "support"],
    "source": ["test"],
    "id": ["0", "1", "2"],
}


_ALL = st.sampled_from(sorted(CATALOGUE))


def instants(first_day: int = 0, last_day: int = DAYS) -> st.SearchStrategy[datetime]:
    """Whole minutes between two days, counted from BEGIN."""
    return st.integers(first_day * 1440, last_day * 1440).map(lambda minutes: BEGIN + timedelta(minutes=minutes))


def data_of(kind: str) -> st.SearchStrategy[EventData]:
    """Valid data of an event type."""
    cls = CATALOGUE[kind].data
    hints = get_type_hints(cls, include_extras=True)
    needed: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in fields(cls):  # type: ignore[arg-type]
        found = _values(field.name, hints[field.name])
        (needed if field.default is MISSING else optional)[field.name] = found
    return st.fixed_dictionaries(needed, optional=optional).map(lambda values: cls(**values))


def _values(name: str, hint: Any) -> st.SearchStrategy[Any]:
    if name in _POOLS or get_origin(hint) is Literal:
        return st.sampled_from(_POOLS.get(name) or get_args(hint))
    if hint is bool:
        return st.booleans()
    parts = get_args(hint)
    if type(None) in parts:
        return st.none() | _values(name, parts[0])
    base, *markers = parts
    if base is Decimal:
        bounds = next(marker for marker in markers if isinstance(marker, Bounds))
        top = 60 if bounds.high <= 10_000 else 5_000
        return st.integers(1, top * 4).map(lambda quarters: Decimal(quarters) / 4)
    if base in (date, datetime):
        return instants(-5, DAYS + 60).map(lambda at: at if base is datetime else at.date())
    return _texts(markers)


def _texts(markers: list[Any]) -> st.SearchStrategy[str]:
    for marker in markers:
        if isinstance(marker, Iso4217):
            return st.sampled_from(["USD", "USD", "EUR"])
        if isinstance(marker, ZoneName):
            return st.sampled_from(["UTC", "Europe/Berlin"])
        if isinstance(marker, Length) and marker.max == 2:
            return st.sampled_from(["DE", "US"])
    assert not any(isinstance(marker, PastOrFuture) for marker in markers)
    return st.sampled_from(["a", "b"])


def events(kinds: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Event]:
    """One event of any type; ids are given by `histories`."""

    def of(kind: str) -> st.SearchStrategy[Event]:
        return st.builds(
            Event,
            source=st.just("test"),
            id=st.just("?"),
            type=st.just(kind),
            client_id=st.just("acme"),
            time=instants(),
            data=data_of(kind),
            recorded_at=instants(),
        )

    return _ALL.flatmap(of) if kinds is None else kinds.flatmap(of)


def named(found: list[Event], prefix: str = "") -> list[Event]:
    """Give events ids by their place."""
    return [
        Event(e.source, f"{prefix}{number}", e.type, e.client_id, e.time, e.data, e.recorded_at)
        for number, e in enumerate(found)
    ]


def histories(most: int = 25, kinds: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[list[Event]]:
    """One client's events, in any order, of any types."""
    return st.lists(events(kinds), max_size=most).map(named)
