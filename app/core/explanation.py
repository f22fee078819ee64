"""The explanation: the whole answer for one client, with what an owner does about it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from app.core.assessment import Assessment
from app.core.cost import Cost, cost_of_staying, window_begins
from app.core.course import readings_of
from app.core.history import Told
from app.core.parting import Parting, parting_from
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.reasons import Reasoned, reasons_of
from app.core.strategies import Case, Strategy, strategy_for
from app.core.strategies.choice import chosen_for
from app.core.trend import LOOKS_BACK, Trend, trend_since
from app.core.verdict import Verdict

__all__ = ["Explanation", "explain", "looks_of"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a client stands, and what to do.

    Attributes:
        reasoned: the score, what each sign says and why.
        trends: how it has moved since some days ago.
        cost: what it costs to stay, per month.
        strategy: how to deal with this client: by its type, but never against the verdict; see `choice.py`.
        parting: how to part well, where that is the verdict.
    """

    reasoned: Reasoned
    trends: tuple[Trend, ...]
    cost: Cost
    strategy: Strategy
    parting: Parting | None

    @property
    def assessment(self) -> Assessment:
        """The score, and what each sign says."""
        return self.reasoned.assessment


def looks_of(policy: Policy, as_of: datetime) -> list[datetime]:
    """The instants in the past that an explanation looks at, for the trend and for the cost."""
    return [window_begins(policy, as_of), *(as_of - timedelta(days=days) for days in LOOKS_BACK)]


def explain(  # noqa: PLR0917 - whom, and a viewpoint
    client_id: str,
    told: Told,
    policy: Policy,
    portfolio: Portfolio,
    as_of: datetime,
    known_at: datetime | None = None,
) -> Explanation:
    """Explain one client, reading its history once."""
    begins = window_begins(policy, as_of)
    looks = {days: as_of - timedelta(days=days) for days in LOOKS_BACK}
    instants = sorted({*looks_of(policy, as_of), as_of})
    seen = dict(zip(instants, readings_of(told, policy, portfolio, instants, known_at), strict=True))
    facts, now = seen[as_of]
    then, _ = seen[begins]
    before, _ = seen[looks[LOOKS_BACK[-1]]]
    case = Case(facts.profile.name or client_id, facts, policy, before)
    return Explanation(
        reasoned=reasons_of(now, facts, policy, portfolio),
        trends=tuple(trend_since(days, seen[instant][1], now) for days, instant in looks.items()),
        cost=cost_of_staying(facts, then, policy, portfolio),
        strategy=strategy_for(chosen_for(now), case),
        parting=parting_from(case) if now.verdict is Verdict.PART else None,
    )
