"""The reasons: an assessment with what each sign rests on, and a sentence that says so."""

from dataclasses import dataclass
from datetime import datetime

from app.core.assessment import Assessment
from app.core.course import readings_of
from app.core.facts import Facts
from app.core.history import Told
from app.core.message import Message
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs import Reason, Sign

__all__ = ["Reasoned", "reasoned_at", "reasons_of", "sentence_of"]


@dataclass(frozen=True, slots=True)
class Reasoned:
    """An assessment, and the reason of each sign in the same order."""

    assessment: Assessment
    reasons: tuple[Reason, ...]


def reasons_of(found: Assessment, facts: Facts, policy: Policy, portfolio: Portfolio) -> Reasoned:
    """Give the reasons of an assessment that was made from the same."""
    return Reasoned(found, tuple(part.sign.reason(facts, policy, portfolio) for part in found.signs))


def reasoned_at(
    told: Told, policy: Policy, portfolio: Portfolio, as_of: datetime, known_at: datetime | None = None
) -> Reasoned:
    """Assess one client at one instant, with reasons."""
    ((facts, found),) = readings_of(told, policy, portfolio, [as_of], known_at)
    return reasons_of(found, facts, policy, portfolio)


def sentence_of(sign: Sign, reason: Reason) -> Message:
    """One plain sentence that says why a sign weighs what it weighs, with the measured figures in it."""
    figures = {name: figure.value for name, figure in reason.figures.items()}
    return Message(sign.sentences[reason.code], {**figures, **reason.words})
