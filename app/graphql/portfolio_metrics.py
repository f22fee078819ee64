"""The metrics of a portfolio: the same numbers as `GET /v1/metrics`."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Self

import strawberry

from app.core.money import Money
from app.core.verdict import Verdict
from app.graphql.connections import page_size
from app.graphql.context import Context, Info
from app.graphql.costs import Cost
from app.graphql.fields import answered, described
from app.graphql.money import MoneyType
from app.graphql.portfolios import TypeCount, VerdictCount
from app.graphql.scores import SignName
from app.ports.tenants import Scope
from app.use_cases.portfolio_metrics import Changes, ClientMetrics, Moves, Shown

__all__ = ["PortfolioMetricsType", "portfolio_metrics"]


@strawberry.type(description="How many clients have a score above the end of the step before and up to this one's.")
class ScoreStep:
    """How many clients have a score in a step."""

    up_to: int = described("The end of the step.")
    clients: int = described("How many clients.")


@strawberry.type(description="How scores are distributed.")
class ScoreDistribution:
    """How scores are distributed."""

    sum: float = described("All scores added up.")
    mean: float | None = described("Of one client; null where there are none.")
    change: float = described("By how much the scores changed in the last 30 days, added up.")
    steps: list[ScoreStep] = described("The steps, from the lowest scores to the highest.", directives=[Cost(size=20)])


@strawberry.type(description="What one sign says of all clients together.")
class SignStrain:
    """What one sign says of all clients together."""

    sign: SignName = described("Which sign.")
    decibans: float = described("Its evidence of all clients, added up; what reassures takes away from it.")
    mean: float | None = described("Of one client; null where there are none.")
    leads: int = described("How many clients it weighs most with.")


@strawberry.type(description="What one sign says of a client.")
class ClientStrain:
    """What one sign says of a client."""

    sign: SignName = described("Which sign.")
    decibans: float = described("Its evidence.")


@strawberry.type(description="How many clients went from one verdict to another.")
class VerdictMoves:
    """How many clients went from one verdict to another."""

    before: Verdict | None = described("Null for clients that were assessed for the first time.")
    after: Verdict | None = described("Null for clients that were erased.")
    clients: int = described("How many clients.")

    @classmethod
    def of(cls, found: Moves) -> Self:
        """Make it from what the use case found."""
        return cls(before=found.before, after=found.after, clients=found.clients)


@strawberry.type(description="How verdicts changed in the last days.")
class VerdictChanges:
    """How verdicts changed in the last days."""

    days: int = described("Whole days of UTC, the present one as far as it has gone.")
    since: date = described("The first of them.")
    improved: int = described("Changes to a better verdict.")
    worsened: int = described("Changes to a worse verdict.")
    moves: list[VerdictMoves] = described("Each that can be; those that nobody made too.", directives=[Cost(size=20)])

    @classmethod
    def of(cls, found: Changes) -> Self:
        """Make it from what the use case found."""
        return cls(
            days=found.days,
            since=found.since,
            improved=found.improved,
            worsened=found.worsened,
            moves=[VerdictMoves.of(one) for one in found.moves],
        )


@strawberry.type(name="ClientMetrics", description="A client of those with the highest scores.")
class ClientMetricsType:
    """A client of those with the highest scores."""

    client_id: str = described("The tenant's own id.")
    name: str | None = described("Where `names` asked for it and it is known.")
    score: float = described("0 (keep) to 100 (part).")
    change: float = described("Of the score, in the last 30 days.")
    verdict: Verdict = described("What to do.")
    client_type: str = described("What kind of client this is.")
    leading_sign: SignName | None = described("The sign that weighs most; null where none worries.")
    strain: list[ClientStrain] = described("In the order of the mission.", directives=[Cost(size=6)])
    money_at_risk: list[MoneyType] = described("What is overdue or was taken back, by currency.")
    cost_of_staying: list[MoneyType] = described("Per month.")

    @classmethod
    def of(cls, found: ClientMetrics) -> Self:
        """Make it from what the use case found."""
        return cls(
            client_id=found.client_id,
            name=found.name,
            score=found.score,
            change=found.change,
            verdict=found.verdict,
            client_type=found.client_type,
            leading_sign=None if found.leading_sign is None else SignName(found.leading_sign),
            strain=[ClientStrain(sign=SignName(sign), decibans=one) for sign, one in found.strain.items()],
            money_at_risk=_money(found.money_at_risk),
            cost_of_staying=_money(found.cost_of_staying),
        )


@strawberry.type(
    name="PortfolioMetrics",
    description="How all clients stand together, by the newest stored assessments: the same as `GET /v1/metrics`.",
)
class PortfolioMetricsType:
    """How all clients stand together."""

    clients: int = described("How many there are.")
    by_verdict: list[VerdictCount] = described(
        "From best to worst; verdicts that nobody has too.", directives=[Cost(size=4)]
    )
    by_client_type: list[TypeCount] = described("Types that nobody is of too.", directives=[Cost(size=8)])
    score: ScoreDistribution = described("How scores are distributed.")
    strain: list[SignStrain] = described("Each sign, in the order of the mission.", directives=[Cost(size=6)])
    without_sign: int = described("How many clients there are with whom no sign worries.")
    money_at_risk: list[MoneyType] = described(
        "Open amounts of invoices that are overdue or whose payment was taken back, in their currencies."
    )
    cost_of_staying: list[MoneyType] = described("Per month, in the currency of the policy.")
    changes: list[VerdictChanges] = described("In the last 7 and in the last 30 days.", directives=[Cost(size=2)])
    stale: int = described("How many clients are still to be assessed; counted up to 1,000.")
    stale_since: datetime | None = described("When the first of them became so.")
    changed_at: datetime | None = described(
        "When any of the numbers changed last; null before the first client was assessed."
    )
    policy_version: str = described("The active policy.")

    @answered(
        "Clients with the highest scores, the highest first: as many as the service usually shows, 100 at most; with "
        "their names, which takes the scope `read` besides.",
        weight=20,
        size=0,
    )
    async def top(self, info: Info, first: int | None = None, names: bool = False) -> list[ClientMetricsType]:
        """Clients with the highest scores."""
        context = info.context
        if names:
            context.principal.require(Scope.READ)
        metrics = context.services.portfolio_metrics
        size = metrics.clients_shown(None) if first is None else page_size(first, None)[0]
        shown, _ = await metrics.shown(context.tenant_id, size, names=names)
        return [ClientMetricsType.of(one) for one in shown.clients]

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """Make it from what the use case found."""
        return cls(
            clients=shown.count,
            by_verdict=[VerdictCount(verdict=one, clients=count) for one, count in shown.by_verdict.items()],
            by_client_type=[TypeCount(client_type=one, clients=count) for one, count in shown.by_client_type.items()],
            score=ScoreDistribution(
                sum=shown.score_sum,
                mean=shown.mean(shown.score_sum),
                change=shown.change_sum,
                steps=[ScoreStep(up_to=step.up_to, clients=step.clients) for step in shown.steps],
            ),
            strain=[
                SignStrain(
                    sign=SignName(one.sign), decibans=one.decibans, mean=shown.mean(one.decibans), leads=one.leads
                )
                for one in shown.strain
            ],
            without_sign=shown.without_sign,
            money_at_risk=_money(shown.money_at_risk),
            cost_of_staying=_money(shown.cost_of_staying),
            changes=[VerdictChanges.of(one) for one in shown.changes],
            stale=shown.state.stale,
            stale_since=shown.state.stale_since,
            changed_at=shown.state.changed_at,
            policy_version=shown.policy_version,
        )


async def portfolio_metrics(context: Context) -> PortfolioMetricsType:
    """The metrics as they stand."""
    shown, _ = await context.services.portfolio_metrics.shown(context.tenant_id, 0)
    return PortfolioMetricsType.of(shown)


def _money(found: Iterable[Money]) -> list[MoneyType]:
    return [MoneyType.of(one) for one in found]
