"""The metrics of a tenant's portfolio, for CRM plugins and for the tenant's own Prometheus."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from app.core.money import Money
from app.core.verdict import Verdict
from app.ports.tenants import Scope
from app.rest.bodies import JsonRoute
from app.rest.etags import UnchangedError, quoted, read_tagger, wanted_tags
from app.rest.explanation import MoneyAnswer
from app.rest.services import Permitted, UsedServices
from app.use_cases.portfolio_metrics import MOST_CLIENTS, Changes, ClientMetrics, Moves, Shown
from app.wire.media import best_media
from app.wire.portfolio_metrics import MEDIA, OPEN_METRICS, TEXT, exposed

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["metrics"], route_class=JsonRoute)

_JSON: Final = "application/json"
_FORMS: Final = (_JSON, OPEN_METRICS, TEXT)
"""JSON first: for who takes anything."""
_LONGEST: Final = 1000


class VerdictClients(BaseModel):
    """How many clients have a verdict."""

    verdict: Verdict
    clients: int


class TypeClients(BaseModel):
    """How many clients are of a type."""

    client_type: str
    clients: int


class ScoreStep(BaseModel):
    """How many clients have a score above the end of the step before and up to this one's."""

    up_to: int
    clients: int


class ScoreDistribution(BaseModel):
    """How scores are distributed; `mean` is null where there are no clients."""

    sum: float
    mean: float | None
    change: float = Field(description="By how much the scores changed in the last 30 days, added up.")
    steps: list[ScoreStep]


class ClientStrain(BaseModel):
    """What one sign says of a client."""

    sign: str
    decibans: float


class SignStrainAnswer(BaseModel):
    """What one sign says of all clients together: decibans of evidence that relationships should end."""

    sign: str
    decibans: float = Field(description="Of all clients added up; what reassures takes away from it.")
    mean: float | None = Field(description="Of one client; null where there are none.")
    leads: int = Field(description="How many clients it weighs most with.")


class VerdictMoves(BaseModel):
    """How many clients went from one verdict to another.

    `before` is null for those who were assessed for the first time, `after` for those who were erased.
    """

    before: Verdict | None
    after: Verdict | None
    clients: int

    @classmethod
    def of(cls, found: Moves) -> Self:
        """Make it from what the use case found."""
        return cls(before=found.before, after=found.after, clients=found.clients)


class ChangesAnswer(BaseModel):
    """How verdicts changed in the last days."""

    days: int = Field(description="Whole days of UTC, the present one as far as it has gone.")
    since: date = Field(description="The first of them.")
    improved: int = Field(description="Changes to a better verdict.")
    worsened: int = Field(description="Changes to a worse verdict.")
    moves: list[VerdictMoves] = Field(description="Each that can be; those that nobody made too.")

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


class ClientMetricsAnswer(BaseModel):
    """A client of those with the highest scores; `name` where it was asked for and is known."""

    client_id: str
    name: str | None
    score: float = Field(ge=0, le=100)
    change: float = Field(description="Of the score, in the last 30 days.")
    verdict: Verdict
    client_type: str
    leading_sign: str | None = Field(description="The sign that weighs most; null where none worries.")
    strain: list[ClientStrain] = Field(description="In the order of the mission.")
    money_at_risk: list[MoneyAnswer]
    cost_of_staying: list[MoneyAnswer] = Field(description="Per month.")

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
            leading_sign=found.leading_sign,
            strain=[ClientStrain(sign=sign, decibans=decibans) for sign, decibans in found.strain.items()],
            money_at_risk=_money(found.money_at_risk),
            cost_of_staying=_money(found.cost_of_staying),
        )


class PortfolioMetricsAnswer(BaseModel):
    """How all clients stand together, by the newest stored assessments."""

    clients: int = Field(description="How many there are.")
    by_verdict: list[VerdictClients] = Field(description="From best to worst; verdicts that nobody has too.")
    by_client_type: list[TypeClients] = Field(description="Types that nobody is of too.")
    score: ScoreDistribution
    strain: list[SignStrainAnswer] = Field(description="In the order of the mission.")
    without_sign: int = Field(description="How many clients there are with whom no sign worries.")
    money_at_risk: list[MoneyAnswer] = Field(
        description="Open amounts of invoices that are overdue or whose payment was taken back, in their currencies."
    )
    cost_of_staying: list[MoneyAnswer] = Field(description="Per month, in the currency of the policy.")
    changes: list[ChangesAnswer] = Field(description="In the last 7 and in the last 30 days.")
    top: list[ClientMetricsAnswer] = Field(description="Clients with the highest scores, the highest first.")
    stale: int = Field(description="How many clients are still to be assessed; counted up to 1,000.")
    stale_since: datetime | None = Field(description="When the first of them became so.")
    changed_at: datetime | None = Field(
        description="When any of the numbers changed last; null before the first client was assessed."
    )
    policy_version: str = Field(description="The active policy.")

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """Make it from what the use case found."""
        return cls(
            clients=shown.count,
            by_verdict=[VerdictClients(verdict=one, clients=count) for one, count in shown.by_verdict.items()],
            by_client_type=[TypeClients(client_type=one, clients=count) for one, count in shown.by_client_type.items()],
            score=ScoreDistribution(
                sum=shown.score_sum,
                mean=shown.mean(shown.score_sum),
                change=shown.change_sum,
                steps=[ScoreStep(up_to=step.up_to, clients=step.clients) for step in shown.steps],
            ),
            strain=[
                SignStrainAnswer(sign=one.sign, decibans=one.decibans, mean=shown.mean(one.decibans), leads=one.leads)
                for one in shown.strain
            ],
            without_sign=shown.without_sign,
            money_at_risk=_money(shown.money_at_risk),
            cost_of_staying=_money(shown.cost_of_staying),
            changes=[ChangesAnswer.of(one) for one in shown.changes],
            top=[ClientMetricsAnswer.of(one) for one in shown.clients],
            stale=shown.state.stale,
            stale_since=shown.state.stale_since,
            changed_at=shown.state.changed_at,
            policy_version=shown.policy_version,
        )


def _money(found: Iterable[Money]) -> list[MoneyAnswer]:
    return [MoneyAnswer.of(one) for one in found]


_AS_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in (OPEN_METRICS, TEXT)}}
}


@router.get(
    "/metrics", response_model=PortfolioMetricsAnswer, responses=_AS_TEXT, summary="Get the metrics of the portfolio"
)
async def get_portfolio_metrics(  # noqa: PLR0917 - query parameters
    request: Request,
    response: Response,
    principal: Permitted,
    services: UsedServices,
    top: Annotated[
        int | None,
        Query(
            ge=0,
            le=MOST_CLIENTS,
            description="So many clients with the highest scores are shown one by one; by default 10, unless the "
            "operators of the service say otherwise.",
            examples=[5],
        ),
    ] = None,
    names: Annotated[
        bool, Query(description="Whether with their names, which takes the scope `read` besides.", examples=[False])
    ] = False,
) -> Any:
    """How all clients stand together: as JSON, or as Prometheus reads it, by `Accept`.

    All of it is kept up to date as clients are assessed, so that it costs the same for few clients and for many. Of few
    clients it tells how they stand now; of many `stale` tells how many are still to be assessed.
    """
    if names:
        principal.require(Scope.READ)
    media = best_media(",".join(request.headers.getlist("accept"))[:_LONGEST], _FORMS) or _JSON
    metrics, tenant_id = services.portfolio_metrics, principal.tenant_id
    clients = metrics.clients_shown(top)
    headers = {"Vary": "Accept"}
    if names:
        # A name changes when it is told, and not when the client is assessed: this answer is tagged by its bytes.
        shown, _ = await metrics.shown(tenant_id, clients, names=True)
    else:
        tagger = await read_tagger(request, principal, services, media, str(clients))
        if known := wanted_tags(request):
            parts = (await metrics.version(tenant_id)).parts
            if tagger.knows(known, *parts):
                raise UnchangedError(tagger.tag(*parts), headers)
        shown, version = await metrics.shown(tenant_id, clients)
        headers["ETag"] = quoted(tagger.tag(*version.parts))
    if media == _JSON:
        response.headers.update(headers)
        return PortfolioMetricsAnswer.of(shown)
    return Response(exposed(shown, media), headers=headers, media_type=MEDIA[media])
