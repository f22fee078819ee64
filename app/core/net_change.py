"""Net changes: what became of clients between the two ends of a period, whatever lay between."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.core.reading import STEP, Reading
from app.core.verdict import Verdict

__all__ = ["NetChange", "NetKind", "net_kind"]

_ORDER: Final = list(Verdict)


class NetKind(StrEnum):
    """What became of a client."""

    WORSE = "worse"
    """A worse verdict, or the same one and a score that is ten points higher or more."""
    BETTER = "better"
    """The other way round."""
    NEW = "new"
    """Assessed for the first time."""
    RETURNED = "returned"
    """Had another verdict between, and has the same one again."""
    SLIGHT = "slight"
    """Another type, or a score that moved by less than ten points."""


@dataclass(frozen=True, slots=True)
class NetChange:
    """One client at the two ends of a period.

    Attributes:
        client_id: which.
        kind: what became of it.
        before: what was stored before its first change in the period; None for a new one.
        after: what was stored with its last one.
        between: the verdict between that was farthest from the last one, the worse of two; the last one itself where
            there was no other.
    """

    client_id: str
    kind: NetKind
    before: Reading | None
    after: Reading
    between: Verdict


def net_kind(before: Reading | None, after: Reading, between: Iterable[Verdict]) -> NetKind:
    """What became of a client.

    Args:
        before: its reading before; None for none.
        after: its last reading.
        between: the verdicts that it had on the way.
    """
    if before is None:
        return NetKind.NEW
    steps = _ORDER.index(after.verdict) - _ORDER.index(before.verdict)
    moved = steps or after.score - before.score
    if steps or abs(moved) >= STEP:
        return NetKind.WORSE if moved > 0 else NetKind.BETTER
    return NetKind.RETURNED if any(one is not after.verdict for one in between) else NetKind.SLIGHT
