"""What the events say of talks: about the rate, and about what has to change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from app.core.events import Event, EventRef, Mark
from app.core.events import rate as told
from app.core.events.relationship import ExpectationStated
from app.core.fading import FadingSum, Heaviest
from app.core.money import Money
from app.core.policy import Policy

__all__ = ["Proposal", "Talks", "TalksBook", "TalksState"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new rate an hour, proposed to the client."""

    rate: Money
    mark: Mark


@dataclass(frozen=True, slots=True)
class Talks:
    """Talks with one client, as they stand on a day.

    Attributes:
        rate_proposed: the newest rate that was proposed.
        rate_accepted: the last time that the client agreed to one.
        refusals, agreements: how many talks about the rate were refused, and how many led to one.
        refused, agreed: what those say, faded, in decibans.
        after_telling: refusals that came after the client was told; the first refusal has told it.
        refused_by, agreed_by: the talks that say most, heaviest first, each with how much.
        expectations: by sign, the first time that the client was told what has to change.
    """

    rate_proposed: Proposal | None
    rate_accepted: Mark | None
    refusals: int
    agreements: int
    refused: float
    agreed: float
    after_telling: int
    refused_by: tuple[tuple[float, EventRef], ...]
    agreed_by: tuple[tuple[float, EventRef], ...]
    expectations: Mapping[str, Mark]


@dataclass(slots=True)
class TalksState:
    """What is kept of talks; see `Talks`."""

    proposed: Proposal | None = None
    accepted: Mark | None = None
    refusals: int = 0
    agreements: int = 0
    first_told: bool = False
    refused: FadingSum = field(default_factory=FadingSum)
    agreed: FadingSum = field(default_factory=FadingSum)
    refused_by: Heaviest = field(default_factory=Heaviest)
    agreed_by: Heaviest = field(default_factory=Heaviest)
    expectations: dict[str, Mark] = field(default_factory=dict)

    def copy(self) -> "TalksState":
        """The same, to go on with apart."""
        return TalksState(
            self.proposed,
            self.accepted,
            self.refusals,
            self.agreements,
            self.first_told,
            self.refused.copy(),
            self.agreed.copy(),
            self.refused_by.copy(),
            self.agreed_by.copy(),
            dict(self.expectations),
        )


class TalksBook:
    """Keeps the talks."""

    kinds = (
        told.RateProposed,
        told.RateAccepted,
        told.RateRefused,
        ExpectationStated,
    )

    def __init__(self, policy: Policy, state: TalksState) -> None:
        """Go on from a state; the policy says how much a talk says."""
        self._policy = policy
        self.state = state

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        mark, state = event.mark, self.state
        match event.data:
            case told.RateProposed(rate=rate, currency=currency):
                state.proposed = Proposal(Money(rate, currency), mark)
            case told.RateAccepted():
                state.accepted = mark
                state.agreements += 1
                self._say(state.agreed, state.agreed_by, event, -self._policy.rate.accepted)
            case told.RateRefused():
                self._refuse(event)
            case ExpectationStated(sign=sign):
                state.expectations.setdefault(sign, mark)
            case _:
                pass

    def _refuse(self, event: Event) -> None:
        state = self.state
        expected = state.expectations.get("rate")
        after = expected is not None and expected.at < event.time
        if not state.refusals:
            state.first_told = after
        state.refusals += 1
        weight = self._policy.rate.refused * (self._policy.told_weight if after else 1.0)
        self._say(state.refused, state.refused_by, event, weight)

    def _say(self, total: FadingSum, by: Heaviest, event: Event, weight: float) -> None:
        day = self._policy.calendar.day_of(event.time).toordinal()
        total.add(day, weight, self._policy.half_life_days)
        by.add(day, weight, event.ref, self._policy.half_life_days)

    def read(self, today: int) -> Talks:
        """The talks as they stand on a day."""
        state, half_life = self.state, self._policy.half_life_days
        return Talks(
            rate_proposed=state.proposed,
            rate_accepted=state.accepted,
            refusals=state.refusals,
            agreements=state.agreements,
            refused=state.refused.on(today, half_life),
            agreed=state.agreed.on(today, half_life),
            after_telling=max(state.refusals - 1, 0) + state.first_told,
            refused_by=tuple(state.refused_by.on(today, half_life)),
            agreed_by=tuple(state.agreed_by.on(today, half_life)),
            expectations=MappingProxyType(dict(state.expectations)),
        )
