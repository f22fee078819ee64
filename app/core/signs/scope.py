"""Sign 2: asks for more and more than was agreed, for the same money."""

from math import log

from app.core.decibans import DECIBANS_PER_NAT, fading, saturating_share
from app.core.facts import Facts
from app.core.facts.work import Change
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs.creep import Creep, creep_of
from app.core.signs.habits import Habit, Occasion, habit_of
from app.core.signs.sign import Figure, Sign, Weighed, bounded, heaviest, weight_after_telling

__all__ = ["SCOPE"]


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weighed:
    """Unpaid effort against the agreed one, and how often more is asked for without pay."""
    del portfolio  # the agreement with this client is the yardstick
    settings = policy.scope
    lasting = creep_of(facts, policy, policy.half_life_days)
    recent = creep_of(facts, policy, settings.recent_half_life)
    requests = [_request(facts, policy, change) for change in facts.work.changes]
    habit = habit_of(requests, settings.priors)
    if lasting.agreed_hours <= 0 and lasting.unpaid_hours <= 0 and not requests:
        return Weighed(0.0, "nothing_agreed")
    hours = max(_overrun(policy, lasting), _overrun(policy, recent))
    asked = [change for change in facts.work.changes if not change.is_paid_for]
    told = habit.after_telling + lasting.told_hours / 8
    decibans, spread = bounded(hours + habit.decibans, habit.spread, settings.caps, told)
    return Weighed(
        decibans=decibans,
        spread=spread,
        reason=_reason(hours, habit, lasting, recent),
        occasions=habit.bad + habit.good + lasting.periods,
        figures={
            "unpaid_hours_beyond": Figure(round(lasting.unpaid_hours, 2), "hours"),
            "agreed_hours": Figure(round(lasting.agreed_hours, 2), "hours"),
            "overrun_share": Figure(round(lasting.share, 4), "ratio"),
            "recent_overrun_share": Figure(round(recent.share, 4), "ratio"),
            "requests_beyond": Figure(len(facts.work.changes), "count"),
            "unpaid_requests": Figure(len(asked), "count"),
        },
        held_against={"overrun_share": Figure(settings.ordinary_overrun, "ratio")},
        events=heaviest([*lasting.pull, *((request.bad, request.ref) for request in requests)]),
    )


def _overrun(policy: Policy, creep: Creep) -> float:
    """The ratio of two exponential densities of the overrun, believed as far as there is work to judge by."""
    settings = policy.scope
    low, high = settings.ordinary_overrun, settings.creeping_overrun
    decibans = DECIBANS_PER_NAT * (log(low / high) + creep.share * (1 / low - 1 / high))
    if decibans > 0:
        return decibans * saturating_share(creep.unpaid_hours, settings.settling_hours / 4)
    return decibans * saturating_share(creep.agreed_hours, settings.settling_hours * 4)


def _request(facts: Facts, policy: Policy, change: Change) -> Occasion:
    mark = change.last
    fresh = fading(facts.age(mark), policy.half_life_days)
    if change.is_paid_for:
        return Occasion(0.0, fresh, mark.ref)
    weight = weight_after_telling(facts, "scope", mark, policy)
    # A quote that the client rejects has told them what more costs: whatever of it is done after all weighs more.
    refused = change.rejected_by_client is not None
    bad = 1.0 if refused or change.delivered else 0.5
    told = weight > 1 or (refused and change.quoted is not None)
    return Occasion(bad * weight * fresh, 0.0, mark.ref, told)


def _reason(hours: float, habit: Habit, lasting: Creep, recent: Creep) -> str:
    if max(hours, habit.decibans) <= 0:
        return "within_agreement"
    if hours >= habit.decibans:
        return "accelerating" if recent.share > 1.25 * lasting.share else "unpaid_hours"
    return "unpaid_requests"


SCOPE = Sign(
    name="scope",
    title="Asks for more than was agreed",
    weigh=_weigh,
    sentences={
        "nothing_agreed": "No agreed hours and no changes are recorded, so there is nothing to weigh.",
        "within_agreement": "The work keeps to what was agreed.",
        "unpaid_hours": (
            "{unpaid_hours_beyond:.0f} hours beyond the agreed {agreed_hours:.0f} were not paid for "
            "({overrun_share:.0%})."
        ),
        "accelerating": (
            "{unpaid_hours_beyond:.0f} hours beyond the agreed {agreed_hours:.0f} were not paid for, and it is "
            "getting worse: {recent_overrun_share:.0%} lately."
        ),
        "unpaid_requests": (
            "{unpaid_requests:.0f} of {requests_beyond:.0f} requests beyond the agreement are not paid for."
        ),
    },
)
