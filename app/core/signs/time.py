"""Sign 3: no respect for our time: evening calls, rush jobs, emergencies, meetings missed."""

from datetime import timedelta
from itertools import product
from typing import NamedTuple

from app.core.decibans import fading_since
from app.core.events import Mark
from app.core.facts import Facts, measured_once
from app.core.facts.contacts import Deadline, Slip
from app.core.message import N_
from app.core.policy import Policy, TimePolicy
from app.core.portfolio import Portfolio
from app.core.signs.habits import Habit, Occasion, events_behind, habit_of
from app.core.signs.sign import MOST_EVENTS, Figure, Reason, Sign, Weight, bounded

__all__ = ["TIME", "occasions_of"]


class _Contact(NamedTuple):
    """How contact went: each occasion, what they come to, and how many requests left too little time."""

    occasions: list[Occasion]
    habit: Habit
    rushed: int


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weight:
    """Every contact is an occasion: it respected our time or it did not."""
    if not facts.contacts.count:
        return Weight()
    habit = _contact(facts, policy, portfolio).habit
    decibans, spread = bounded(habit.decibans, habit.spread, policy.time.caps, habit.after_telling)
    return Weight(decibans, spread, habit.bad + habit.good)


def _reason(facts: Facts, policy: Policy, portfolio: Portfolio) -> Reason:
    contacts, habits = facts.contacts, portfolio.habits.time
    if not contacts.count:
        return Reason("no_contact")
    occasions, habit, rushed = _contact(facts, policy, portfolio)
    urgent = sum(one.urgent for one in contacts.disturbances)
    out_of_hours = sum(one.out_of_hours for one in contacts.disturbances)
    missed = sum(slip.missed for slip in contacts.slips)
    parts = {
        "out_of_hours": out_of_hours,
        "rush_jobs": rushed,
        "emergencies": urgent,
        "meetings_missed": len(contacts.slips),
    }
    return Reason(
        code=max(parts, key=lambda part: parts[part]) if habit.bad > 0 else "respectful",
        figures={
            "contacts": Figure(contacts.count, "count"),
            "out_of_hours": Figure(out_of_hours, "count"),
            "urgent": Figure(urgent, "count"),
            "rush_requests": Figure(rushed, "count"),
            "meetings_missed": Figure(missed, "count"),
            "meetings_moved_late": Figure(len(contacts.slips) - missed, "count"),
            "disregard_share": Figure(round(habit.share, 4), "ratio"),
        },
        held_against={
            "disregard_share": Figure(round(habits.priors.ordinary.mean, 4), "ratio"),
            "fitted_to_clients": Figure(habits.clients, "count"),
        },
        events=events_behind(occasions, habit),
    )


@measured_once
def _contact(facts: Facts, policy: Policy, portfolio: Portfolio) -> _Contact:
    occasions = occasions_of(facts, policy)
    rushed = sum(_shortness(deadline, policy) > 0 for deadline in facts.contacts.deadlines)
    return _Contact(occasions, habit_of(occasions, portfolio.habits.time.priors), rushed)


def occasions_of(facts: Facts, policy: Policy) -> list[Occasion]:
    """Every contact, every deadline and every meeting that slipped; what kept to our time is summed up in a few.

    A contact that disregards our time says nothing good, however little it disregards it.
    """
    disregards = _disregard_by_contact(policy.time)
    contacts = facts.contacts
    found = [(disregards[kind, urgent, late], mark) for kind, urgent, late, mark in contacts.disturbances]
    found += [(policy.time.rush * _shortness(deadline, policy), deadline.mark) for deadline in contacts.deadlines]
    found += [(_slip(slip, policy), slip.mark) for slip in contacts.slips]
    told = facts.talks.expectations.get("time")
    bad = [one for one in found if one[0] > 0]
    fresh = fading_since([mark.at for _, mark in bad], facts.as_of, policy.half_life_days)
    weight = (1.0, policy.told_weight)
    after = [told is not None and told.at < mark.at for _, mark in bad]
    return [
        *(
            Occasion(disregard * weight[late] * recent, 0.0, mark.ref, late)
            for (disregard, mark), recent, late in zip(bad, fresh, after, strict=True)
        ),
        *_calm(facts, policy, [mark for disregard, mark in found if disregard <= 0]),
    ]


def _calm(facts: Facts, policy: Policy, besides: list[Mark]) -> list[Occasion]:
    """The newest by themselves, for they are named as reasons; the newest of them stands for all the others too."""
    calm = facts.contacts.calm
    newest = sorted([*calm.newest, *besides], reverse=True)[:MOST_EVENTS]
    fresh = fading_since([mark.at for mark in newest], facts.as_of, policy.half_life_days)
    total = calm.fresh + sum(fading_since([mark.at for mark in besides], facts.as_of, policy.half_life_days))
    found = [Occasion(0.0, weight, mark.ref) for mark, weight in zip(newest, fresh, strict=True)]
    if found:
        found[0] = found[0]._replace(good=max(total - sum(fresh[1:]), fresh[0]))
    return found


def _disregard_by_contact(settings: TimePolicy) -> dict[tuple[str, bool, bool], float]:
    """How much a contact disregards our time: by its kind, whether it was urgent, and whether it was out of hours."""
    out_of_hours = {"call": settings.call_out_of_hours, "message": settings.message_out_of_hours}
    return {
        (kind, urgent, late): max(out_of_hours[kind] if late else 0.0, settings.urgent if urgent else 0.0)
        for kind, urgent, late in product(out_of_hours, (False, True), (False, True))
    }


def _shortness(deadline: Deadline, policy: Policy) -> float:
    """How much of the minimum lead time the request does not leave, 0 to 1."""
    least = policy.time.minimum_lead_hours
    return max(1.0 - deadline.lead_hours / least, 0.0) if least > 0 else 0.0


def _slip(slip: Slip, policy: Policy) -> float:
    if slip.missed:
        return policy.time.missed
    return (
        policy.time.moved if slip.scheduled_at - slip.mark.at < timedelta(hours=policy.time.short_notice_hours) else 0.0
    )


TIME = Sign(
    name="time",
    title=N_("No respect for your time"),
    client_type="firefighter",
    weigh=_weigh,
    reason=_reason,
    sentences={
        "no_contact": N_("No contact is recorded, so there is nothing to weigh."),
        "respectful": N_("Everything kept to your working hours and lead times: {contacts:contact}."),
        "out_of_hours": N_("Outside your working hours: {out_of_hours:count} of {contacts:contact}."),
        "rush_jobs": N_("Left less time than you need: {rush_requests:count} of {contacts:contact}."),
        "emergencies": N_("Called an emergency: {urgent:count} of {contacts:contact}."),
        "meetings_missed": N_(
            "Meetings missed: {meetings_missed:count}, moved: {meetings_moved_late:count}; in all there were "
            "{contacts:contact}."
        ),
    },
)
