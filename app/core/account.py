"""An account of what became of one client between two instants: which signs moved it, and what to do first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from app.core.assessment import Assessment
from app.core.course import readings_of
from app.core.difference import Difference, difference_between
from app.core.facts import Facts
from app.core.history import Told
from app.core.message import Message
from app.core.parting import beginning_of_parting
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.reasons import Reasoned, reasons_of
from app.core.snapshot import money_at_risk
from app.core.strategies import APPROACHES
from app.core.strategies.choice import chosen_for
from app.core.verdict import Verdict

__all__ = ["Account", "Look", "account_of"]


@dataclass(frozen=True, slots=True)
class Look:
    """When one looks.

    Attributes:
        as_of: what happened later is not counted.
        known_at: nor is what was told later; None for all that is known.
    """

    as_of: datetime
    known_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What became of a client.

    Attributes:
        name: as it was known at the end.
        before: how it stood.
        reasoned: how it stands at the end, with the reasons.
        moved: by how much each sign moved the score between.
        at_risk: by currency, what is overdue or was taken back at the end.
        first_step: what to do first.
    """

    name: str | None
    before: Assessment
    reasoned: Reasoned
    moved: Difference
    at_risk: Mapping[str, Decimal]
    first_step: Message

    @property
    def after(self) -> Assessment:
        """How it stands at the end."""
        return self.reasoned.assessment


def account_of(told: Told, policy: Policy, portfolio: Portfolio, begins: Look, ends: Look) -> Account:
    """Give an account of one client, held against the same portfolio at both ends: so what moves is this client alone.

    Args:
        told: its history, as far as both looks need it.
        policy: the tenant's settings, for both.
        portfolio: what is known of the tenant's clients together, beside this one.
        begins, ends: the two looks.
    """
    ((_, before),) = readings_of(told, policy, portfolio, [begins.as_of], begins.known_at)
    ((facts, after),) = readings_of(told, policy, portfolio, [ends.as_of], ends.known_at)
    return Account(
        name=facts.profile.name,
        before=before,
        reasoned=reasons_of(after, facts, policy, portfolio),
        moved=difference_between(before, after),
        at_risk=money_at_risk(facts),
        first_step=_first_step(after, facts),
    )


def _first_step(found: Assessment, facts: Facts) -> Message:
    """The first one of the strategy; where one is to part, of parting, except from who does not pay.

    That strategy ends the work by itself, and asks for the money before all else.
    """
    chosen = chosen_for(found)
    if found.verdict is Verdict.PART and chosen != "non_payer":
        return beginning_of_parting(facts)
    return Message(APPROACHES[chosen].steps[0])
