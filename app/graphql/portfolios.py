"""The portfolio: how all of a tenant's clients stand together."""

from collections import Counter
from datetime import datetime
from typing import Annotated

import strawberry

from app.core.verdict import Verdict
from app.graphql.context import Context, Info
from app.graphql.fields import answered, described
from app.graphql.languages import LanguageName
from app.graphql.portfolio_changes import PortfolioChanges, portfolio_changes
from app.graphql.scalars import Moment
from app.graphql.scores import SignName
from app.ports.assessments import Counted
from app.use_cases.viewpoint import Viewpoint

__all__ = ["PortfolioType", "TypeCount", "VerdictCount", "portfolio_at", "portfolio_now"]


@strawberry.type(description="How many clients have a verdict.")
class VerdictCount:
    """How many clients have a verdict."""

    verdict: Verdict = described("Which verdict.")
    clients: int = described("How many clients.")


@strawberry.type(description="How many clients are of a type.")
class TypeCount:
    """How many clients are of a type."""

    client_type: str = described("Which type.")
    clients: int = described("How many clients.")


@strawberry.type(description="How many clients one sign weighs most with.")
class SignCount:
    """How many clients one sign weighs most with."""

    sign: SignName = described("Which sign.")
    clients: int = described("How many clients.")


@strawberry.type(name="Portfolio", description="All clients of a tenant together.")
class PortfolioType:
    """All clients together."""

    clients: int = described("How many there are.")
    median_score: float | None = described("Half of them score lower; null where there is none.")
    by_verdict: list[VerdictCount] = described("From best to worst; verdicts that nobody has too.")
    by_client_type: list[TypeCount] = described("The commonest first.")
    by_leading_sign: list[SignCount] = described("In the order of the mission.")
    as_of: datetime = described("What happened later is not counted.")
    policy_version: str = described("The policy that it was made with.")
    seen: strawberry.Private[datetime | None] = None

    @answered(
        "What became of the clients in a period, and why, ready to be mailed. `period` is such as 7d, 2w or P7D, up to "
        "`until`: by default a week up to `asOf`; or else it begins at `from`, or just behind another digest, `after` "
        "its `next`. `first` clients at most, 20 by default and 50 at most, are told of one by one.",
        weight=500,
    )
    async def changes(  # noqa: PLR0917 - the arguments in the API
        self,
        info: Info,
        period: str | None = None,
        begins: Annotated[Moment | None, strawberry.argument(name="from")] = None,
        until: Moment | None = None,
        after: str | None = None,
        first: int | None = None,
        language: LanguageName | None = None,
    ) -> PortfolioChanges:
        """What changed."""
        context = info.context
        if until is None and after is None and self.seen is not None:
            until = Moment(self.seen)
        return await portfolio_changes(context, period, begins, until, after, first, language)


async def portfolio_now(context: Context) -> PortfolioType:
    """The portfolio as it stands, by the newest stored assessments."""
    found = await context.services.listing.together(context.tenant_id)
    return await _portfolio(context, found, (await context.viewpoint(None, None)).as_of)


async def portfolio_at(context: Context, viewpoint: Viewpoint) -> PortfolioType:
    """The portfolio from a viewpoint, for which all clients are assessed."""
    found = [one.assessment for one in await context.services.assess.ranking(context.tenant_id, viewpoint)]
    groups = Counter((one.verdict, one.client_type.name, one.leading_sign) for one in found)
    scores = sorted(one.score for one in found)
    middle = len(scores) // 2
    median = None
    if scores:
        median = scores[middle] if len(scores) % 2 else (scores[middle - 1] + scores[middle]) / 2
    counted = Counted([(*group, count) for group, count in groups.items()], median)
    made = await _portfolio(context, counted, viewpoint.as_of)
    made.seen = viewpoint.as_of
    return made


async def _portfolio(context: Context, found: Counted, as_of: datetime) -> PortfolioType:
    verdicts, types, signs = Counter[Verdict](), Counter[str](), Counter[str | None]()
    for verdict, client_type, sign, count in found.groups:
        verdicts[verdict] += count
        types[client_type] += count
        signs[sign] += count
    return PortfolioType(
        clients=sum(verdicts.values()),
        median_score=found.median,
        by_verdict=[VerdictCount(verdict=verdict, clients=verdicts[verdict]) for verdict in Verdict],
        by_client_type=[
            TypeCount(client_type=name, clients=count)
            for name, count in sorted(types.items(), key=lambda pair: (-pair[1], pair[0]))
        ],
        by_leading_sign=[SignCount(sign=sign, clients=signs[str(sign.value)]) for sign in SignName],
        as_of=as_of,
        policy_version=await context.services.policies.active_version(context.tenant_id),
    )
