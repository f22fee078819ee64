"""Recourse: the least that the client could do that would lead to a better verdict."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import combinations, product
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from app.core.assessment import Assessment, assess, standing_of
from app.core.course import Recollection
from app.core.deal_breakers import broken_deals
from app.core.events import Event, EventData
from app.core.events.change import ChangeApproved
from app.core.events.contract import ContractSigned
from app.core.events.invoice import InvoicePaid
from app.core.events.rate import RateAccepted
from app.core.facts import Facts
from app.core.history import Reader, Told, history_of
from app.core.message import N_, Message
from app.core.money import Money
from app.core.policy import DealBreaker, Policy
from app.core.portfolio import Portfolio
from app.core.signs import SIGNS, Weight
from app.core.verdict import Standing, Verdict, verdict_of

__all__ = ["Action", "Options", "Recourse", "Step", "recourse_of"]

Telling = Callable[[str, str, EventData], Event]
ActionKind = Literal["sign_contract", "approve_change", "accept_rate", "pay_invoice"]

_MOST_IN_GROUP: Final = 8
"""Beyond so many open items of one kind, the smallest are done together as one action."""
_IN_WORDS: Final[Mapping[ActionKind, tuple[str, str]]] = MappingProxyType(
    {
        "sign_contract": (
            N_("The client signs the contract {subject}."),
            N_("The client signs the contracts {subject}."),
        ),
        "approve_change": (
            N_("The client approves the change {subject} and pays for it."),
            N_("The client approves the changes {subject} and pays for them."),
        ),
        "pay_invoice": (N_("The client pays invoice {subject}."), N_("The client pays the invoices {subject}.")),
    }
)
"""One and several."""
_ORDER: Final = tuple(Verdict)
_SIGNS: Final = {sign.name: sign for sign in SIGNS}


class _Group(NamedTuple):
    """Actions that move the same signs and can settle the same deal-breakers."""

    signs: tuple[str, ...]
    deal_breakers: tuple[DealBreaker, ...]


_GROUPS: Final = (
    _Group(("contract",), ("contract_refused",)),
    _Group(("scope",), ()),
    _Group(("rate", "late", "nonpayment"), ("payment_charged_back", "debt_written_off", "long_unpaid")),
)
"""Signatures, approvals, and money with the rate."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that the client could do today.

    Attributes:
        kind: what.
        subjects: the contract, the change or the invoices; empty for the rate.
        events: what would be told of it.
        message: the same in words.
        rate: what the client would agree to pay an hour; None for everything else.
    """

    kind: ActionKind
    subjects: tuple[str, ...]
    events: tuple[Event, ...]
    message: Message
    rate: Money | None = None


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


@dataclass(frozen=True, slots=True)
class Options:
    """What the client could do.

    Attributes:
        now: how it stands.
        recourse: the fewest steps to each better verdict that can be reached, the best verdict last; none, where no
            action of the client's would lead to one.
        exact: whether every set of open items was weighed; not, where the smallest of many count as one.
    """

    now: Assessment
    recourse: tuple[Recourse, ...]
    exact: bool


def recourse_of(
    told: Told, policy: Policy, portfolio: Portfolio, as_of: datetime, known_at: datetime | None = None
) -> Options:
    """Find the smallest set of actions for each better verdict that can be reached.

    Exact: all sets of a size are compared before a larger one is looked at. Signatures, approvals and money move
    different signs, and evidence adds up. So each group's sets are weighed apart; of those of a size only the ones stay
    that no other beats in deal-breakers, evidence and spread at once, and all combinations of what stays are compared.
    """
    search = _Search(told, policy, portfolio, as_of, known_at)
    return Options(search.now, tuple(search.found()), search.exact)


class _Outcome(NamedTuple):
    """What a set of actions of one group comes to: the weights of the signs that it moves."""

    actions: tuple[Action, ...]
    broken: int
    weights: tuple[Weight, ...]

    @property
    def decibans(self) -> float:
        return sum([one.decibans for one in self.weights])

    @property
    def variance(self) -> float:
        return sum([one.spread**2 for one in self.weights])


class _Search:
    """One search; every set of a group's actions is weighed once."""

    def __init__(
        self,
        told: Told,
        policy: Policy,
        portfolio: Portfolio,
        as_of: datetime,
        known_at: datetime | None,
    ) -> None:
        self._policy = policy
        self._portfolio = portfolio
        self._client_id = next((one.client_id for part in history_of(told).segments for one in part.events), "")
        self._told_at = known_at or as_of
        self._chronicle = Reader(told, policy, known_at).chronicle(as_of)
        self._facts = self._chronicle.facts(as_of)
        # What is done today changes no day before.
        self._lately = Recollection(told, policy, portfolio, known_at).before(as_of)
        self._fronts: dict[tuple[int, int], list[_Outcome]] = {}
        self.now = self._after(())

    @property
    def exact(self) -> bool:
        return all(len(action.subjects) < 2 for group in self.groups for action in group)

    @cached_property
    def groups(self) -> tuple[tuple[Action, ...], ...]:
        return tuple(_grouped(actions) for actions in _actions(self._facts, self._event))

    def found(self) -> Iterator[Recourse]:
        everything = [action for group in self.groups for action in group]
        reached = _ORDER.index(self.now.verdict)
        for size in range(1, len(everything) + 1):
            # No set leads to a lower score than all actions together; `part` may end by the interval too.
            if reached < _ORDER.index(Verdict.PART) and reached <= _ORDER.index(self._lowest):
                return
            verdict, _, best = min(self._sets_of(size), key=lambda one: (_ORDER.index(one[0]), one[1].score))
            if _ORDER.index(verdict) < reached:
                reached = _ORDER.index(verdict)
                yield self._recourse(verdict, best)

    @cached_property
    def _lowest(self) -> Verdict:
        score = self._after([action for group in self.groups for action in group]).score
        return verdict_of(Standing(score, score), self._policy.thresholds, self._lately)

    def _event(self, kind: str, name: str, data: EventData) -> Event:
        as_of = self._facts.as_of
        return Event("partwise:recourse", f"{kind}/{name}", kind, self._client_id, as_of, data, self._told_at)

    def _facts_after(self, actions: Sequence[Action]) -> Facts:
        return self._chronicle.supposing(self._facts, [event for action in actions for event in action.events])

    def _after(self, actions: Sequence[Action]) -> Assessment:
        return assess(self._facts_after(actions), self._policy, self._portfolio, self._lately)

    def _sets_of(self, size: int) -> Iterator[tuple[Verdict, Standing, tuple[Action, ...]]]:
        """Sets of a size of which one is the best, with the verdict that each leads to."""
        sizes = (range(min(len(group), size) + 1) for group in self.groups)
        for counts in product(*sizes):
            if sum(counts) == size:
                fronts = [self._front(group, count) for group, count in enumerate(counts)]
                for outcomes in product(*fronts):
                    yield self._combined(outcomes)

    def _combined(self, outcomes: Sequence[_Outcome]) -> tuple[Verdict, Standing, tuple[Action, ...]]:
        actions = tuple(action for outcome in outcomes for action in outcome.actions)
        moved = {
            name: weight
            for group, outcome in zip(_GROUPS, outcomes, strict=True)
            for name, weight in zip(group.signs, outcome.weights, strict=True)
        }
        weights = [moved.get(sign.name) or self._unmoved[sign.name] for sign in SIGNS]
        count = self._facts.event_count + sum(len(action.events) for action in actions)
        standing = standing_of(weights, count, self._policy)
        if any(outcome.broken for outcome in outcomes):
            return Verdict.PART, standing, actions
        return verdict_of(standing, self._policy.thresholds, self._lately), standing, actions

    @cached_property
    def _unmoved(self) -> dict[str, Weight]:
        moved = [name for group in _GROUPS for name in group.signs]
        found = [sign for sign in SIGNS if sign.name not in moved]
        return {sign.name: sign.weigh(self._facts, self._policy, self._portfolio) for sign in found}

    def _front(self, group: int, count: int) -> list[_Outcome]:
        """Of a group's sets of a size, those that no other beats."""
        if (group, count) not in self._fronts:
            front: list[_Outcome] = []
            for actions in combinations(self.groups[group], count):
                outcome = self._outcome(group, actions)
                if not any(self._beats(other, outcome) for other in front):
                    front = [other for other in front if not self._beats(outcome, other)] + [outcome]
            self._fronts[group, count] = front
        return self._fronts[group, count]

    def _beats(self, one: _Outcome, other: _Outcome) -> bool:
        """Whether one is as good in every way: `part` may also be left by being less sure, no other verdict can."""
        return (
            one.broken <= other.broken
            and one.decibans <= other.decibans
            and (self.now.verdict is not Verdict.PART or one.variance >= other.variance)
        )

    def _outcome(self, group: int, actions: tuple[Action, ...]) -> _Outcome:
        facts, policy = self._facts_after(actions), self._policy
        moved = _GROUPS[group]
        return _Outcome(
            actions=actions,
            broken=sum(one.name in moved.deal_breakers for one in broken_deals(facts, policy)),
            weights=tuple(_SIGNS[name].weigh(facts, policy, self._portfolio) for name in moved.signs),
        )

    def _recourse(self, verdict: Verdict, actions: tuple[Action, ...]) -> Recourse:
        ordered = sorted(actions, key=lambda action: self._after((action,)).total_decibans)
        steps = []
        for number, action in enumerate(ordered, 1):
            after = self._after(ordered[:number])
            steps.append(Step(action, after.score, after.verdict))
        return Recourse(verdict, tuple(steps))


def _action(kind: ActionKind, subjects: tuple[str, ...], events: tuple[Event, ...]) -> Action:
    """One thing to do about a contract, a change or an invoice, or about several."""
    one, several = _IN_WORDS[kind]
    message = Message(one if len(subjects) == 1 else several, {"subject": ", ".join(subjects)})
    return Action(kind, subjects, events, message)


def _actions(facts: Facts, told: Telling) -> Iterator[list[Action]]:
    """What could be done, by group; what matters most first."""
    yield [
        _action("sign_contract", (one.id,), (told("contract.signed", one.id, ContractSigned(contract=one.id)),))
        for one in facts.contracts
        if one.signed is None
    ]
    changes = [one for one in facts.work.changes if one.can_be_approved]
    yield [
        _action("approve_change", (one.id,), (told("change.approved", one.id, ChangeApproved(change=one.id)),))
        for one in sorted(changes, key=lambda one: (-one.hours, one.id))
    ]
    unpaid = [one for one in facts.invoices if one.is_overdue(facts.today) or one.written_off or one.charged_back]
    # An invoice that was lost and is paid after all raises the rate too: these two kinds are weighed together.
    yield [
        *_rate_action(facts, told),
        *(
            _action("pay_invoice", (one.id,), (told("invoice.paid", one.id, InvoicePaid(invoice=one.id)),))
            for one in sorted(unpaid, key=lambda one: (-one.open_amount, one.id))
        ),
    ]


def _rate_action(facts: Facts, told: Telling) -> Iterator[Action]:
    """Agreeing to the newest rate that was proposed, where it was refused since or not answered."""
    newest, answered = facts.talks.rate_proposed, facts.talks.rate_accepted
    if newest is not None and (answered is None or answered.at < newest.mark.at):
        data = RateAccepted(rate=newest.rate.amount, currency=newest.rate.currency)
        message = Message(N_("The client agrees to the proposed rate of {rate} an hour."), {"rate": newest.rate})
        yield Action("accept_rate", (), (told("rate.accepted", "rate", data),), message, newest.rate)


def _grouped(actions: Sequence[Action]) -> tuple[Action, ...]:
    head, rest = actions[: _MOST_IN_GROUP - 1], actions[_MOST_IN_GROUP - 1 :]
    if len(rest) < 2:
        return tuple(actions)
    subjects = tuple(subject for action in rest for subject in action.subjects)
    return (*head, _action(rest[0].kind, subjects, tuple(event for action in rest for event in action.events)))
