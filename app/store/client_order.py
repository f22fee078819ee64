"""In which order stored clients are listed, and which of them: the parts of the statement that say so."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from app.ports.assessments import ListedBy, Order, Place, Wanted
from app.ports.clients import ClientRecord

__all__ = ["DIRECTIONS", "condition", "filters"]

# In the order of code points, so that a list is the same on every server and as Python sorts it.
_ID: Final = 'client.client_id COLLATE "C"'
_STORED_ID: Final = 'stored.client_id COLLATE "C"'

DIRECTIONS: Final[Mapping[Order, tuple[str, str, Callable[[ClientRecord, ListedBy], float | str]]]] = {
    Order.SCORE: ("stored.by_score", _STORED_ID, lambda record, listed: listed.score),
    Order.CHANGE: ("stored.by_change", _STORED_ID, lambda record, listed: listed.change),
    Order.NAME: (
        'coalesce(client.name, client.client_id) COLLATE "C"',
        _ID,
        lambda record, listed: record.name or record.client_id,
    ),
}
"""By order: what is sorted upwards, then the id; and the value of a place. Each pair is that of an index."""


def filters(wanted: Wanted, values: list[Any]) -> str:
    """Conditions for who is wanted; what they hold clients against is put after the values that there are.

    Each is a plain equality where one value is asked for, so that the index of the filter is in the list's order too.
    """
    found = ""
    for column, allowed in (
        ("verdict", wanted.verdicts),
        ("client_type", wanted.client_types),
        ("leading_sign", wanted.signs),
    ):
        if len(allowed) == 1:
            (one,) = allowed
            found += f" AND stored.{column} = {_given(str(one), values)}"
        elif allowed:
            found += f" AND stored.{column} = ANY({_given(sorted(map(str, allowed)), values)}::text[])"
    if wanted.text is not None:
        text = f"lower({_given(wanted.text, values)})"
        found += f" AND (strpos(lower(client.client_id), {text}) > 0 OR strpos(lower(client.name), {text}) > 0)"
    return found


def condition(wanted: Wanted, place: Place, values: list[Any], *, beyond: bool) -> str:
    """The condition that a client lies beyond a place of the list, or before it."""
    value, name, _ = DIRECTIONS[wanted.order]
    sign = ">" if beyond != wanted.reverse else "<"
    at = -place[0] if isinstance(place[0], float) else place[0]
    return f" AND ({value}, {name}) {sign} ({_given(at, values)}, {_given(place[1], values)})"


def _given(value: Any, values: list[Any]) -> str:
    values.append(value)
    return f"${len(values) + 1}"
