"""The tally: what one client adds to the portfolio metrics, as amounts that can be added up in any order."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

from app.core.snapshot import Snapshot
from app.core.verdict import Verdict

__all__ = ["SCORE_STEPS", "Sums", "Tally", "Term", "difference_of", "kind_of", "step_of", "tally_of", "total_of"]

SCORE_STEPS: Final = tuple(range(5, 101, 5))
"""Where the steps of the score distribution end; each begins beyond the end of the one before."""

_DIGITS: Final = Decimal("0.000001")
_ONE: Final = Decimal(1)


class Term(StrEnum):
    """What is added up; each with a label."""

    CLIENTS = "clients"
    """One, by verdict and type: see `kind_of`."""
    SCORE = "score"
    STEP = "step"
    """One, by the end of the step that the score is in."""
    CHANGE = "change"
    """Of the score, in the last 30 days."""
    STRAIN = "strain"
    """Decibans, by sign."""
    LEADS = "leads"
    """One, by the sign that weighs most; without a label where none worries."""
    AT_RISK = "at_risk"
    """Money by currency."""
    COST = "cost"
    """Money per month by currency."""


Tally = Mapping[tuple[str, str], Decimal]
"""Amounts by term and label; what another version has stored may have terms that this one does not know."""
Sums = Mapping[tuple[str, str], Decimal]
"""Tallies of many clients, added up: exactly, for the amounts are decimal."""


def tally_of(snapshot: Snapshot) -> Tally:
    """What a client adds."""
    found = snapshot.assessment
    tally: dict[tuple[str, str], Decimal] = {
        (Term.CLIENTS, f"{found.verdict.value}:{found.client_type.name}"): _ONE,
        (Term.SCORE, ""): _exact(found.score),
        (Term.STEP, str(step_of(found.score))): _ONE,
        (Term.CHANGE, ""): _exact(snapshot.change),
        (Term.LEADS, found.leading_sign or ""): _ONE,
        (Term.COST, snapshot.cost.currency): snapshot.cost.amount,
    }
    tally |= {(Term.STRAIN, part.sign.name): _exact(part.decibans) for part in found.signs}
    return tally | {(Term.AT_RISK, currency): amount for currency, amount in snapshot.at_risk.items()}


def step_of(score: float) -> int:
    """The end of the step that a score is in."""
    return next((step for step in SCORE_STEPS if score <= step), SCORE_STEPS[-1])


def kind_of(tally: Tally) -> tuple[Verdict, str]:
    """The verdict and the type that a client was counted with."""
    (label,) = (label for term, label in tally if term == Term.CLIENTS)
    verdict, _, client_type = label.partition(":")
    return Verdict(verdict), client_type


def difference_of(before: Tally | None, after: Tally | None) -> Sums:
    """What to add to the sums where one tally takes the place of another; None for no client."""
    found = dict(after or {})
    for key, amount in (before or {}).items():
        found[key] = found.get(key, Decimal(0)) - amount
    return {key: amount for key, amount in found.items() if amount}


def total_of(parts: Iterable[Sums]) -> Sums:
    """Add up."""
    found: dict[tuple[str, str], Decimal] = {}
    for part in parts:
        for key, amount in part.items():
            found[key] = found.get(key, Decimal(0)) + amount
    return {key: amount for key, amount in found.items() if amount}


def _exact(value: float) -> Decimal:
    """A number rounded to a millionth."""
    return Decimal(repr(value)).quantize(_DIGITS)
