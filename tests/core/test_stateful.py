"""The whole core as a machine: events of any type come in any order, time goes on, policies change, and all that is
answered stays true to the axioms and to each other."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.core.assessment import Assessment
from app.core.course import assessment_at, course_of
from app.core.decibans import score_of
from app.core.difference import difference_between
from app.core.events import Event
from app.core.explanation import explain
from app.core.facts import gather
from app.core.policy import DEFAULT_POLICY, Policy
from app.core.portfolio import Portfolio, portfolio_of
from app.core.recourse import recourse_of
from app.core.shares import share_of
from app.core.timeline import timeline_of
from app.core.verdict import Verdict, verdict_of
from tests.core.policies import policies
from tests.core.strategies import BEGIN, events, histories, named

ORDER = list(Verdict)


class Relationship(RuleBasedStateMachine):
    """One client among others, told event by event."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[Event] = []
        self.now: datetime = BEGIN
        self.policy: Policy = DEFAULT_POLICY

    @initialize(history=histories(12))
    def begin(self, history: list[Event]) -> None:
        """What was told before we look for the first time."""
        self.told = named(history, "begin-")
        self.now = max([event.time for event in history], default=BEGIN)

    @property
    def portfolio(self) -> Portfolio:
        """What the tenant knew when the day began."""
        began = self.policy.calendar.end_of(self.policy.calendar.day_of(self.now) - timedelta(days=1))
        own = share_of(gather(self.told, self.policy, began), self.policy)
        return portfolio_of({"acme": own}, self.policy).beside("acme")

    def assessed(self, told: list[Event] | None = None, as_of: datetime | None = None) -> Assessment:
        """How it stands with some events, by default those that were told."""
        found = self.told if told is None else told
        return assessment_at(found, self.policy, self.portfolio, as_of or self.now)

    @rule(event=events())
    def tell(self, event: Event) -> None:
        """Something happened, perhaps long ago: what is supposed and what is told are the same."""
        (fresh,) = named([event], f"{len(self.told)}-")
        supposed = assessment_at([*self.told, fresh], self.policy, self.portfolio, self.now)
        portfolio = self.portfolio
        self.told.append(fresh)
        assert assessment_at(self.told, self.policy, portfolio, self.now) == supposed
        # What is told twice, or in another order, changes nothing.
        assert assessment_at([*self.told[::-1], fresh], self.policy, portfolio, self.now) == supposed

    @rule(days=st.integers(1, 120))
    def wait(self, days: int) -> None:
        """Time goes on; what was answered for a day in the past stays as it is."""
        before, portfolio = self.assessed(), self.portfolio
        then = self.now
        self.now += timedelta(days=days)
        assert assessment_at([e for e in self.told if e.time <= self.now], self.policy, portfolio, then) == before

    @rule(policy=policies())
    def decide(self, policy: Policy) -> None:
        """Another policy is activated."""
        self.policy = policy

    @rule()
    def default(self) -> None:
        """The default one is activated again."""
        self.policy = DEFAULT_POLICY

    @precondition(lambda self: self.told)
    @rule()
    def do_what_recourse_says(self) -> None:
        """The client does it, step by step: each leads where it was said to."""
        found = recourse_of(self.told, self.policy, self.portfolio, self.now).recourse
        portfolio, before = self.portfolio, self.assessed().verdict
        reached = [ORDER.index(one.verdict) for one in found]
        assert reached == sorted(set(reached), reverse=True)
        assert all(place < ORDER.index(before) for place in reached)
        for one in found:
            done = list(self.told)
            for step in one.steps:
                done += step.action.events
                after = assessment_at(done, self.policy, portfolio, self.now)
                assert (after.score, after.verdict) == (step.score, step.verdict)
            assert one.steps
            assert one.steps[-1].verdict is one.verdict
        if found:
            self.told += [event for step in found[0].steps for event in step.action.events]

    @rule(days=st.lists(st.integers(0, 400), min_size=1, max_size=5, unique=True))
    def look_back(self, days: list[int]) -> None:
        """A course says what each instant alone would, and the differences on the way add up."""
        instants = sorted(self.now - timedelta(days=back) for back in days)
        portfolio = self.portfolio
        found = list(course_of(self.told, self.policy, portfolio, instants))
        assert found == [assessment_at(self.told, self.policy, portfolio, instant) for instant in instants]
        for before, after in pairwise(found):
            moved = difference_between(before, after)
            assert abs(sum(one.points for one in moved.signs) - (after.score - before.score)) < 1e-9

    @rule()
    def retell(self) -> None:
        """The timeline has each event once, and what each did adds up."""
        effects, further = timeline_of(self.told, self.policy, self.portfolio, self.now, limit=10)
        told = Counter(event.ref for event in self.told if event.time <= self.now)
        assert len(effects) == min(len(told), 10)
        assert (further is None) == (len(told) <= 10)
        for effect in effects:
            assert abs(sum(one.points for one in effect.moved.signs) - effect.moved.score) < 1e-9

    @invariant()
    def the_answer_holds_together(self) -> None:
        """Axioms 2 and 10, and the parts of an explanation among each other."""
        found = explain("acme", self.told, self.policy, self.portfolio, self.now)
        now = found.assessment
        assert now == self.assessed()
        assert abs(now.prior_decibans + sum(part.decibans for part in now.signs) - now.total_decibans) < 1e-9
        assert abs(sum(part.points for part in now.signs) - (now.score - score_of(now.prior_decibans))) < 1e-9
        assert abs(sum(now.client_type.probabilities.values()) - 1) < 1e-6
        assert now.interval.low <= now.score <= now.interval.high
        assert now.policy_version == self.policy.version
        if now.verdict is Verdict.PART:
            assert now.deal_breakers or now.interval.low >= self.policy.thresholds.part
        elif not now.deal_breakers:
            # Hysteresis never makes a verdict better than the score says, but for `part`, which it holds back.
            plain = verdict_of(now.standing, self.policy.thresholds)
            assert ORDER.index(now.verdict) >= ORDER.index(plain) or plain is Verdict.PART
        assert (found.parting is not None) == (now.verdict is Verdict.PART)
        assert found.cost.per_month == sum(term.amount for term in found.cost.terms if term.amount is not None)


TestRelationship = Relationship.TestCase
TestRelationship.settings = settings(max_examples=40, stateful_step_count=15)
