"""What a sign is: a way to weigh facts as evidence that a relationship should end."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from app.core.decibans import saturated, saturating_share
from app.core.events import EventRef, Mark
from app.core.facts import Facts
from app.core.message import Message
from app.core.policy import Caps, Policy
from app.core.portfolio import Portfolio

__all__ = [
    "MOST_EVENTS",
    "Figure",
    "Reason",
    "Sign",
    "Weight",
    "bounded",
    "heaviest",
    "told_before",
    "weight_after_telling",
]

MOST_EVENTS = 5
"""How many events a sign names as its reasons."""


class Figure(NamedTuple):
    """One measured number, with its unit (`days`, `hours`, `ratio`, `count`, an ISO 4217 code, ...)."""

    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Weight:
    """How much a sign says.

    Attributes:
        decibans: the evidence, bounded; 0 when there is nothing to weigh.
        spread: the standard deviation of the evidence from the few occasions that it rests on, in decibans.
        occasions: how many occasions it rests on, weighted.
    """

    decibans: float = 0.0
    spread: float = 0.0
    occasions: float = 0.0


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a sign says it.

    Attributes:
        code: of the reason, a key of the sign's sentences.
        figures: what was measured.
        held_against: what an ordinary client would show.
        events: the events that weigh most, heaviest first.
        words: what the reason's sentence says beside the figures, such as an invoice's number or a day.
    """

    code: str
    figures: Mapping[str, Figure] = field(default_factory=dict)
    held_against: Mapping[str, Figure] = field(default_factory=dict)
    events: tuple[EventRef, ...] = ()
    words: Mapping[str, str | date | Message] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sign:
    """One of the signs.

    Attributes:
        name: as in the API.
        title: for people.
        client_type: what kind of client the sign makes.
        weigh: from the facts, the policy and the portfolio to evidence; pure.
        reason: from the same to what it rests on.
        sentences: by reason code, one plain sentence with the figures' names as placeholders.
    """

    name: str
    title: str
    client_type: str
    weigh: Callable[[Facts, Policy, Portfolio], Weight]
    reason: Callable[[Facts, Policy, Portfolio], Reason]
    sentences: Mapping[str, str]


def weight_after_telling(facts: Facts, sign: str, mark: Mark, policy: Policy) -> float:
    """How much a bad event counts: more once the client had been told what has to change about that sign."""
    return policy.told_weight if told_before(facts, sign, mark.at) else 1.0


def told_before(facts: Facts, sign: str, instant: datetime) -> bool:
    """Whether the client had been told by then what has to change about a sign."""
    told = facts.talks.expectations.get(sign)
    return told is not None and told.at < instant


def bounded(decibans: float, spread: float, caps: Caps, after_telling: float) -> tuple[float, float]:
    """Bound a sign's evidence: the more happened after the client was told, the higher the cap.

    Args:
        decibans: unbounded evidence.
        spread: its standard deviation.
        caps: the sign's caps.
        after_telling: weighted count of bad occasions after the client was told; 2 raise the cap by 63 % of the way.

    Returns:
        The bounded evidence and its standard deviation: near a cap there is little left to be unsure of.
    """
    cap = caps.untold + (caps.told - caps.untold) * saturating_share(after_telling, 2.0)
    low, middle, high = (
        saturated(value, cap, caps.reassurance) for value in (decibans - spread, decibans, decibans + spread)
    )
    return middle, (high - low) / 2


def heaviest(weights: Iterable[tuple[float, EventRef]]) -> tuple[EventRef, ...]:
    """The events that weigh most, heaviest first, each once."""
    found = [(-weight, ref) for weight, ref in weights if weight > 0]
    # One event comes up three times at most: for what it asked for, its hours and what became of it.
    most = 3 * MOST_EVENTS
    if len(found) > most:
        least = sorted([weight for weight, _ in found])[most - 1]
        found = [one for one in found if one[0] <= least]
    return tuple(dict.fromkeys(ref for _, ref in sorted(found)))[:MOST_EVENTS]
