"""Sign 3: no respect for our time: evening calls, rush jobs, emergencies, meetings missed."""

from app.core.facts import Facts, measured_once
from app.core.message import N_
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs.habits import Habit, events_behind, habit_of
from app.core.signs.sign import Figure, Reason, Sign, Weight, bounded

__all__ = ["TIME"]


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weight:
    """Every contact is an occasion: it respected our time or it did not."""
    if not facts.contacts.count:
        return Weight()
    habit = _habit(facts, portfolio)
    decibans, spread = bounded(habit.decibans, habit.spread, policy.time.caps, habit.after_telling)
    return Weight(decibans, spread, habit.bad + habit.good)


def _reason(facts: Facts, policy: Policy, portfolio: Portfolio) -> Reason:
    del policy  # contacts were judged by it when they were entered
    contacts, habits = facts.contacts, portfolio.habits.time
    if not contacts.count:
        return Reason("no_contact")
    habit = _habit(facts, portfolio)
    parts = {
        "out_of_hours": contacts.out_of_hours,
        "rush_jobs": contacts.rushed,
        "emergencies": contacts.urgent,
        "meetings_missed": contacts.missed + contacts.moved,
    }
    return Reason(
        code=max(parts, key=lambda part: parts[part]) if habit.bad > 0 else "respectful",
        figures={
            "contacts": Figure(contacts.count, "count"),
            "out_of_hours": Figure(contacts.out_of_hours, "count"),
            "urgent": Figure(contacts.urgent, "count"),
            "rush_requests": Figure(contacts.rushed, "count"),
            "meetings_missed": Figure(contacts.missed, "count"),
            "meetings_moved_late": Figure(contacts.moved, "count"),
            "disregard_share": Figure(round(habit.share, 4), "ratio"),
        },
        held_against={
            "disregard_share": Figure(round(habits.priors.ordinary.mean, 4), "ratio"),
            "fitted_to_clients": Figure(habits.clients, "count"),
        },
        events=events_behind(contacts.habit, habit),
    )


@measured_once
def _habit(facts: Facts, portfolio: Portfolio) -> Habit:
    return habit_of(facts.contacts.habit, portfolio.habits.time.priors)


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
