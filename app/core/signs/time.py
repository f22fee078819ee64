"""Sign 3: no respect for our time: evening calls, rush jobs, emergencies, meetings missed."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import product

from app.core.decibans import fading, fading_since
from app.core.facts import Facts, Mark
from app.core.facts.contacts import Deadline, Slip
from app.core.message import N_
from app.core.policy import Policy, TimePolicy
from app.core.portfolio import Portfolio
from app.core.signs.habits import Occasion, events_behind, habit_of
from app.core.signs.sign import MOST_EVENTS, Figure, Sign, Weighed, bounded

__all__ = ["TIME", "occasions_of"]


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weighed:
    """Every contact is an occasion: it respected our time or it did not."""
    contacts, deadlines, slips = facts.contacts.contacts, facts.contacts.deadlines, facts.contacts.slips
    rushes = [_shortness(deadline, policy) for deadline in deadlines]
    rushed = sum(shortness > 0 for shortness in rushes)
    occasions = _occasions(facts, policy, rushes)
    if not occasions:
        return Weighed(0.0, "no_contact")
    habit = habit_of(occasions, portfolio.habits.time.priors)
    urgent = len([contact for contact in contacts if contact.urgent])
    out_of_hours = len([contact for contact in contacts if contact.out_of_hours])
    missed = sum(slip.missed for slip in slips)
    parts = {
        "out_of_hours": out_of_hours,
        "rush_jobs": rushed,
        "emergencies": urgent,
        "meetings_missed": len(slips),
    }
    decibans, spread = bounded(habit.decibans, habit.spread, policy.time.caps, habit.after_telling)
    return Weighed(
        decibans=decibans,
        spread=spread,
        reason=max(parts, key=lambda part: parts[part]) if habit.bad > 0 else "respectful",
        occasions=habit.bad + habit.good,
        figures={
            "contacts": Figure(len(contacts) + len(deadlines) + len(slips), "count"),
            "out_of_hours": Figure(out_of_hours, "count"),
            "urgent": Figure(urgent, "count"),
            "rush_requests": Figure(rushed, "count"),
            "meetings_missed": Figure(missed, "count"),
            "meetings_moved_late": Figure(len(slips) - missed, "count"),
            "disregard_share": Figure(round(habit.bad / (habit.bad + habit.good), 4), "ratio"),
        },
        held_against={
            "disregard_share": Figure(round(portfolio.habits.time.priors.ordinary.mean, 4), "ratio"),
            "fitted_to_clients": Figure(portfolio.habits.time.clients, "count"),
        },
        events=events_behind(occasions, decibans),
    )


def occasions_of(facts: Facts, policy: Policy) -> list[Occasion]:
    """Every contact, every deadline and every meeting that slipped; what kept to our time is summed up in a few."""
    return _occasions(facts, policy, [_shortness(deadline, policy) for deadline in facts.contacts.deadlines])


def _occasions(facts: Facts, policy: Policy, rushes: Sequence[float]) -> list[Occasion]:
    """A contact that disregards our time says nothing good, however little it disregards it."""
    settings = policy.time
    disregards = _disregard_by_contact(settings)
    calm: list[Mark] = []
    found: list[Occasion] = []

    told = facts.talks.expectations.get("time")

    def enter(mark: Mark, disregard: float) -> None:
        if disregard <= 0:
            calm.append(mark)
            return
        after = told is not None and told.at < mark.at
        fresh = fading(facts.age(mark), policy.half_life_days)
        found.append(Occasion(disregard * (policy.told_weight if after else 1.0) * fresh, 0.0, mark.ref, after))

    for contact in facts.contacts.contacts:
        if contact.urgent or contact.out_of_hours:
            enter(contact.mark, disregards[contact.kind, contact.urgent, contact.out_of_hours])
        else:
            calm.append(contact.mark)
    for deadline, shortness in zip(facts.contacts.deadlines, rushes, strict=True):
        enter(deadline.mark, settings.rush * shortness)
    for slip in facts.contacts.slips:
        enter(slip.mark, _slip(slip, policy))
    return found + _calm(facts, policy, calm)


def _calm(facts: Facts, policy: Policy, marks: list[Mark]) -> list[Occasion]:
    """The newest by themselves, for they are named as reasons; the newest of them stands for all the others too."""
    marks.sort(reverse=True)
    fresh = fading_since([mark.at for mark in marks], facts.as_of, policy.half_life_days)
    found = [Occasion(0.0, weight, mark.ref) for mark, weight in zip(marks[:MOST_EVENTS], fresh, strict=False)]
    if len(marks) > MOST_EVENTS:
        found[0] = found[0]._replace(good=fresh[0] + sum(fresh[MOST_EVENTS:]))
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
    left = policy.calendar.working_hours_between(deadline.mark.at, deadline.due_at, least)
    return 1.0 - left / least if least > 0 else 0.0


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
