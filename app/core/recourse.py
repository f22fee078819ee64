"""Recourse: the least that the client could do that would lead to a better verdict."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import combinations, product
from typing import Final, Literal

from app.core.assessment import Assessment, assess
from app.core.course import Recollection
from app.core.events import Event, EventData
from app.core.events.change import ChangeApproved
from app.core.events.contract import ContractSigned
from app.core.events.invoice import InvoicePaid
from app.core.events.rate import RateAccepted
from app.core.facts import Facts, gather
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.verdict import Standing, Verdict, verdict_of

__all__ = ["Action", "Recourse", "Step", "recourse_of"]

Told = Callable[[str, str, EventData], Event]
ActionKind = Literal["sign_contract", "approve_change", "accept_rate", "pay_invoice"]

_MOST_IN_GROUP: Final = 8
"""Beyond so many open items of one kind, the smallest are done together as one action."""
_ORDER: Final = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the client could do today.

    Attributes:
        kind: what.
        subjects: the contract, the change or the invoices; empty for the rate.
        events: what would be told of it.
    """

    kind: ActionKind
    subjects: tuple[str, ...]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """One action, and how the relationship would stand after it and all steps before."""

    action: Action
    score: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Recourse:
    """A better verdict, and the fewest steps that lead to it, the one that does most first."""

    verdict: Verdict
    steps: tuple[Step, ...]


def recourse_of(
    events: Sequence[Event], policy: Policy, portfolio: Portfolio, as_of: datetime, known_at: datetime | None = None
) -> tuple[Recourse, ...]:
    """Find the smallest set of actions for each better verdict that can be reached, the best verdict last.

    Exact: all sets of a size are compared before a larger one is looked at. Actions on contracts, on changes, and on
    money move different signs, and evidence adds up; so the best of each kind are searched apart and then combined.

    Returns:
        Nothing, where no action of the client's would lead to a better verdict.
    """
    return tuple(_Search(events, policy, portfolio, as_of, known_at).found())


class _Search:
    """One search; every set of actions is assessed once."""

    def __init__(
        self,
        events: Sequence[Event],
        policy: Policy,
        portfolio: Portfolio,
        as_of: datetime,
        known_at: datetime | None,
    ) -> None:
        self._events = events
        self._policy = policy
        self._portfolio = portfolio
        self._as_of = as_of
        self._known_at = known_at
        # What is done today changes no day before.
        self._lately = Recollection(events, policy, portfolio, known_at).before(as_of)
        self._seen: dict[tuple[Action, ...], Assessment] = {}

    def found(self) -> Iterator[Recourse]:
        everything = tuple(action for group in self._groups for action in group)
        score = self._after(everything).score
        lowest = verdict_of(Standing(score, score), self._policy.thresholds, self._lately)
        reached = _ORDER.index(self._after(()).verdict)
        for size in range(1, len(everything) + 1):
            # No set has a lower score than all actions together; `part` may end by the interval too.
            if reached <= _ORDER.index(lowest) and reached < _ORDER.index(Verdict.PART):
                return
            best = self._best_of(size)
            verdict = self._after(best).verdict
            if _ORDER.index(verdict) < reached:
                reached = _ORDER.index(verdict)
                yield self._recourse(verdict, best)

    @cached_property
    def _facts(self) -> Facts:
        return gather(self._events, self._policy, self._as_of, self._known_at)

    @cached_property
    def _groups(self) -> tuple[tuple[Action, ...], ...]:
        return tuple(_grouped(actions) for actions in _actions(self._facts, self._event))

    def _event(self, kind: str, name: str, data: EventData) -> Event:
        client_id = self._events[0].client_id
        told = self._known_at or self._as_of
        return Event("partwise:recourse", f"{kind}/{name}", kind, client_id, self._as_of, data, told)

    def _after(self, actions: tuple[Action, ...]) -> Assessment:
        known = self._seen.get(actions)
        if known is None:
            more = [event for action in actions for event in action.events]
            facts = gather([*self._events, *more], self._policy, self._as_of, self._known_at)
            known = self._seen[actions] = assess(facts, self._policy, self._portfolio, self._lately)
        return known

    def _best_of(self, size: int) -> tuple[Action, ...]:
        """Of all sets of a size, the one with the least evidence."""
        sizes = (range(min(len(group), size) + 1) for group in self._groups)
        chosen = [
            tuple(
                action
                for group, count in zip(self._groups, counts, strict=True)
                for action in self._best_in(group, count)
            )
            for counts in product(*sizes)
            if sum(counts) == size
        ]
        return min(chosen, key=self._standing)

    def _standing(self, actions: tuple[Action, ...]) -> tuple[int, int, float]:
        """Deal-breakers first: while one holds, nothing else counts."""
        after = self._after(actions)
        return len(after.deal_breakers), _ORDER.index(after.verdict), after.total_decibans

    def _best_in(self, group: tuple[Action, ...], count: int) -> tuple[Action, ...]:
        return min(combinations(group, count), key=self._standing)

    def _recourse(self, verdict: Verdict, actions: tuple[Action, ...]) -> Recourse:
        ordered = sorted(actions, key=lambda action: self._after((action,)).total_decibans)
        steps = []
        for number, action in enumerate(ordered, 1):
            after = self._after(tuple(ordered[:number]))
            steps.append(Step(action, after.score, after.verdict))
        return Recourse(verdict, tuple(steps))


def _actions(facts: Facts, told: Told) -> Iterator[list[Action]]:
    """What could be done, by kind; what matters most first."""
    yield [
        Action("sign_contract", (one.id,), (told("contract.signed", one.id, ContractSigned(contract=one.id)),))
        for one in facts.contracts
        if one.signed is None
    ]
    changes = [one for one in facts.work.changes if not one.is_paid_for and one.rejected_by_us is None]
    yield [
        Action("approve_change", (one.id,), (told("change.approved", one.id, ChangeApproved(change=one.id)),))
        for one in sorted(changes, key=lambda one: (-one.hours, one.id))
    ]
    unpaid = [one for one in facts.invoices if one.is_overdue(facts.today) or one.written_off or one.charged_back]
    # An invoice that was lost and is paid after all raises the rate too: these two kinds are weighed together.
    yield [
        *_rate_action(facts, told),
        *(
            Action("pay_invoice", (one.id,), (told("invoice.paid", one.id, InvoicePaid(invoice=one.id)),))
            for one in sorted(unpaid, key=lambda one: (-one.open_amount, one.id))
        ),
    ]


def _rate_action(facts: Facts, told: Told) -> Iterator[Action]:
    """Agreeing to the newest rate that was proposed, where it was refused since or not answered."""
    answered = max((mark.at for mark in facts.talks.rate_accepted), default=None)
    for newest in facts.talks.rate_proposed[-1:]:
        if answered is None or answered < newest.mark.at:
            data = RateAccepted(rate=newest.rate.amount, currency=newest.rate.currency)
            yield Action("accept_rate", (), (told("rate.accepted", "rate", data),))


def _grouped(actions: Sequence[Action]) -> tuple[Action, ...]:
    head, rest = actions[: _MOST_IN_GROUP - 1], actions[_MOST_IN_GROUP - 1 :]
    if len(rest) < 2:
        return tuple(actions)
    subjects = tuple(subject for action in rest for subject in action.subjects)
    return (*head, Action(rest[0].kind, subjects, tuple(event for action in rest for event in action.events)))
