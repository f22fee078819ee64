"""Sign 2: asks for more and more than was agreed, for the same money."""

from math import exp
from typing import NamedTuple

from app.core.decibans import fading, saturating_share, virtual_evidence
from app.core.events import EventRef
from app.core.facts import Facts, measured_once
from app.core.message import N_, Message
from app.core.occasions import HabitSums
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs.creep import Creep, creep_of
from app.core.signs.habits import Habit, habit_of
from app.core.signs.sign import Figure, Reason, Sign, Weight, bounded, heaviest

__all__ = ["SCOPE"]

_MOST_SHARE = 5.0
"""An overrun of five times the agreement says all that an overrun can say."""


class _Stretch(NamedTuple):
    """Creep, how many requests there were and what they say, and the evidence of the hours, not yet bounded."""

    creep: Creep
    asked: int
    requests: HabitSums
    habit: Habit
    hours: float

    @property
    def nothing_agreed(self) -> bool:
        """Whether there is nothing to weigh."""
        return self.creep.agreed_hours <= 0 and self.creep.unpaid_hours <= 0 and not self.asked


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weight:
    """Unpaid effort against the agreed one, and how often more is asked for without pay."""
    found = _stretch(facts, policy, portfolio)
    if found.nothing_agreed:
        return Weight()
    habit, creep = found.habit, found.creep
    told = habit.after_telling + creep.told_hours / 8
    decibans, spread = bounded(found.hours + habit.decibans, habit.spread, policy.scope.caps, told)
    return Weight(decibans, spread, habit.bad + habit.good + len(creep.overruns))


def _reason(facts: Facts, policy: Policy, portfolio: Portfolio) -> Reason:
    found = _stretch(facts, policy, portfolio)
    if found.nothing_agreed:
        return Reason("nothing_agreed")
    creep, habits = found.creep, portfolio.habits.requests
    return Reason(
        code=_code(facts, found),
        figures={
            "unpaid_hours_beyond": Figure(round(creep.unpaid_hours, 2), "hours"),
            "agreed_hours": Figure(round(creep.agreed_hours, 2), "hours"),
            **_shares(creep),
            "requests_beyond": Figure(facts.work.requests, "count"),
            "unpaid_requests": Figure(facts.work.unpaid_requests, "count"),
        },
        held_against={
            "overrun_share": Figure(policy.scope.ordinary_overrun, "ratio"),
            "unpaid_request_share": Figure(round(habits.priors.ordinary.mean, 4), "ratio"),
            "fitted_to_clients": Figure(habits.clients, "count"),
        },
        events=_events(facts, found),
        words={"share": _share(creep)},
    )


def _shares(creep: Creep) -> dict[str, Figure]:
    """Of what was agreed; without an agreement there is nothing to be a share of."""
    shares = {"overrun_share": creep.share, "recent_overrun_share": creep.recent_share}
    return {name: Figure(round(share, 4), "ratio") for name, share in shares.items() if share is not None}


def _share(creep: Creep) -> Message:
    if creep.share is None:
        return Message(N_("with no hours agreed"))
    return Message(N_("which is {share:percent} of what was agreed"), {"share": creep.share})


@measured_once
def _stretch(facts: Facts, policy: Policy, portfolio: Portfolio) -> _Stretch:
    creep, requests = creep_of(facts, policy), facts.work.habit
    habit = habit_of(requests, portfolio.habits.requests.priors)
    return _Stretch(creep, facts.work.requests, requests, habit, _overrun(policy, creep))


def _overrun(policy: Policy, creep: Creep) -> float:
    """Each period is an occasion: the ratio of two exponential densities of its overrun.

    Whoever stretches the scope has calm periods too, every other one. As with every habit, one bad period is not yet
    one: what worries is scaled by `k / (k + 1)`, k being the faded count of bad periods.
    """
    settings = policy.scope
    low, high = settings.ordinary_overrun, settings.creeping_overrun
    worry = calm = count = 0.0
    for overrun in creep.overruns:
        share = min(overrun.share, _MOST_SHARE)
        decibans = virtual_evidence(0.5, low / high * exp(share * (1 / low - 1 / high)))
        if decibans > 0:
            fresh = fading(overrun.days_since_last, policy.half_life_days)
            worry += decibans * fresh
            count += fresh
        else:
            calm += decibans * fading(overrun.days_since_start, policy.half_life_days)
    worry *= count / (count + 1) * saturating_share(creep.fresh_unpaid_hours, settings.settling_hours / 4)
    return worry + calm * saturating_share(creep.fresh_agreed_hours, settings.settling_hours * 4)


def _events(facts: Facts, found: _Stretch) -> tuple[EventRef, ...]:
    """The efforts and requests beyond the agreement; where there is nothing to worry about, what was agreed."""
    if found.hours + found.habit.decibans > 0:
        return heaviest([*found.creep.pull, *found.requests.worst])
    agreed = ((fading(facts.age(terms.mark), 365.0), terms.mark.ref) for terms in facts.work.timetable.terms)
    return heaviest([*agreed, *found.requests.best])


def _code(facts: Facts, found: _Stretch) -> str:
    hours, habit, creep = found.hours, found.habit, found.creep
    if max(hours, habit.decibans) <= 0:
        if creep.unpaid_hours > 0:
            return "usual_hours"
        return "usual_requests" if facts.work.unpaid_requests else "within_agreement"
    if hours >= habit.decibans:
        return "accelerating" if creep.accelerates and creep.recent_share is not None else "unpaid_hours"
    return "unpaid_requests"


SCOPE = Sign(
    name="scope",
    title=N_("Asks for more than was agreed"),
    client_type="scope_stretcher",
    weigh=_weigh,
    reason=_reason,
    sentences={
        "nothing_agreed": N_("No agreed hours and no changes are recorded, so there is nothing to weigh."),
        "within_agreement": N_("The work keeps to what was agreed."),
        "usual_hours": N_("Unpaid work beyond the agreement: {unpaid_hours_beyond:hour}, no more than is usual."),
        "usual_requests": N_(
            "Requests beyond the agreement that are not paid for: {unpaid_requests:count} of {requests_beyond:count}, "
            "no more than is usual."
        ),
        "unpaid_hours": N_("Unpaid work beyond the agreement: {unpaid_hours_beyond:hour}, {share}."),
        "accelerating": N_(
            "Unpaid work beyond the agreement: {unpaid_hours_beyond:hour}, and it is getting worse: "
            "{recent_overrun_share:percent} of what was agreed lately."
        ),
        "unpaid_requests": N_(
            "Requests beyond the agreement that are not paid for: {unpaid_requests:count} of {requests_beyond:count}."
        ),
    },
)
