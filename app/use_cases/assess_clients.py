"""Assess clients: from their events to the answer, one client or all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from app.core.assessment import Assessment
from app.core.course import assessment_at, course_of
from app.core.events import Event
from app.core.history import Told
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.reasons import Reasoned
from app.core.trend import LOOKS_BACK
from app.core.verdict import Verdict
from app.ports.clock import Clock
from app.use_cases.cases import Cases
from app.use_cases.histories import Histories
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolios import Portfolios, Supposed
from app.use_cases.purposes import Evaluations, Purpose
from app.use_cases.recall import Recall
from app.use_cases.recent import Recent
from app.use_cases.unheard import UNHEARD
from app.use_cases.viewpoint import Viewpoint

__all__ = ["AssessClients", "Changed", "Preview", "Ranked", "Simulation"]

_RANKED = 20_000
"""Clients in rankings kept at hand: the pages of one list are cut from one ranking."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """One client's place in the ranking; `change` is that of the score in the last 30 days, where it was asked for."""

    client_id: str
    assessment: Assessment
    change: float | None = None


@dataclass(frozen=True, slots=True)
class Simulation:
    """A client as it is, and as it would be."""

    before: Reasoned
    after: Reasoned


@dataclass(frozen=True, slots=True)
class Changed:
    """One client with the active policy and with another."""

    client_id: str
    before: Assessment
    after: Assessment


@dataclass(frozen=True, slots=True)
class Preview:
    """What another version of the policy would change.

    Attributes:
        version, active_version: the two versions.
        as_of: the instant of both looks.
        before, after: how many clients have each verdict.
        changes: clients whose verdict would be another one, those whose score moves most first.
    """

    version: str
    active_version: str
    as_of: datetime
    before: Mapping[Verdict, int]
    after: Mapping[Verdict, int]
    changes: tuple[Changed, ...]


class AssessClients:
    """Answers how relationships stand."""

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        cases: Cases,
        histories: Histories,
        recall: Recall,
        portfolios: Portfolios,
        policies: ManagePolicies,
        clock: Clock,
        evaluations: Evaluations = UNHEARD,
    ) -> None:
        """Weigh histories against portfolios with the tenant's policy, at the time of a clock; tell how many."""
        self._evaluations = evaluations
        self.cases = cases
        self._histories = histories
        self._recall = recall
        self._portfolios = portfolios
        self._policies = policies
        self._clock = clock
        self._rankings: Recent[tuple[str, int, Viewpoint, str, bool], list[Ranked]] = Recent(_RANKED)

    async def moment(self, as_of: datetime | date | None, tenant_id: str) -> datetime:
        """The instant that is meant: now by default, and for a day its end in the tenant's zone."""
        if as_of is None:
            return self._clock.now()
        if isinstance(as_of, datetime):
            return as_of.astimezone(UTC)
        return (await self._policies.active(tenant_id)).calendar.end_of(as_of)

    async def simulate(
        self, tenant_id: str, client_id: str, viewpoint: Viewpoint, hypothetical: Sequence[Event]
    ) -> Simulation:
        """Assess one client as it is, and as it would be had some more events happened; nothing is stored.

        The second assessment is the one that the same events would lead to if they were really sent, for the portfolio
        counts them too.

        Raises:
            NotFoundError: no event ever named that client.
        """
        case = await self.cases.one(tenant_id, client_id, viewpoint, morning=True)
        # What was sent before, of whichever client, or twice at once would be a duplicate, or a conflict: either way it
        # would change nothing.
        sent = await self._histories.sent(tenant_id, [event.ref for event in hypothetical])
        first = {event.ref: event for event in reversed(hypothetical) if event.ref not in sent}
        more = list(first.values())
        told = case.supposing(more)
        if told is None:
            case = await self.cases.whole(case)
            told = case.supposing(more) or ()
        supposed = Supposed(client_id, told)
        portfolio = await self._portfolios.supposing(tenant_id, case.policy, viewpoint, supposed)
        before = await case.reasoned(purpose=Purpose.SIMULATE)
        after = await replace(case, portfolio=portfolio).reasoned(more, Purpose.SIMULATE)
        return Simulation(before=before, after=after)

    def now(self) -> datetime:
        """The present instant."""
        return self._clock.now()

    async def ranking(
        self, tenant_id: str, viewpoint: Viewpoint, verdict: Verdict | None = None, *, with_change: bool = False
    ) -> list[Ranked]:
        """All clients from a viewpoint, the highest score first; with a verdict only those who have it.

        It assesses all of them: for how they stand now, see `list_clients.py`.
        """
        policy = await self._policies.active(tenant_id)
        ranked = await self._ranking(tenant_id, viewpoint, policy, Purpose.LIST, with_change=with_change)
        return [one for one in ranked if verdict is None or one.assessment.verdict is verdict]

    async def preview(self, tenant_id: str, viewpoint: Viewpoint, version: str) -> Preview:
        """What would change if another version of the policy were active.

        Raises:
            NotFoundError: there is no such version.
        """
        proposed = await self._policies.policy(tenant_id, version)
        active = await self._policies.active(tenant_id)
        # Both looks are held against portfolios of the same events, of which the stored one may not know all.
        before, after = [
            {one.client_id: one.assessment for one in await self._ranking(tenant_id, viewpoint, each, Purpose.PREVIEW)}
            for each in (active, proposed)
        ]
        # A client that came between the two looks is in neither.
        both = [Changed(client_id, before[client_id], after[client_id]) for client_id in before if client_id in after]
        changes = [one for one in both if one.before.verdict is not one.after.verdict]
        changes.sort(key=lambda one: (-abs(one.after.score - one.before.score), one.client_id))
        return Preview(
            version=version,
            active_version=active.version,
            as_of=viewpoint.as_of,
            before=_by_verdict(one.before for one in both),
            after=_by_verdict(one.after for one in both),
            changes=tuple(changes),
        )

    async def _ranking(
        self, tenant_id: str, viewpoint: Viewpoint, policy: Policy, purpose: Purpose, *, with_change: bool = False
    ) -> list[Ranked]:
        revisions = await self._histories.revisions(tenant_id)
        key = (tenant_id, hash(frozenset(revisions.items())), viewpoint, policy.version, with_change)
        ranked = self._rankings.get(key)
        if ranked is None:
            portfolio = await self._portfolios.worked_out(tenant_id, policy, viewpoint)
            ranked = []
            assess_all = _assess_with_change if with_change else _assess_all
            instants = [viewpoint.as_of, *([viewpoint.as_of - timedelta(days=LOOKS_BACK[0])] if with_change else [])]

            def work(histories: Mapping[str, Told]) -> dict[str, Ranked]:
                return assess_all(histories, policy, portfolio, viewpoint)

            each = self._recall.each(tenant_id, policy, revisions, instants, viewpoint.known_at, work)
            async for found in each:
                ranked += found.values()
                self._evaluations.evaluated(purpose, len(found))
            ranked.sort(key=lambda one: (-one.assessment.score, one.client_id))
            self._rankings.put(key, ranked, len(ranked))
        return ranked


def _by_verdict(found: Iterable[Assessment]) -> dict[Verdict, int]:
    counts = Counter(one.verdict for one in found)
    return {verdict: counts[verdict] for verdict in Verdict}


def _assess_all(
    histories: Mapping[str, Told], policy: Policy, portfolio: Portfolio, viewpoint: Viewpoint
) -> dict[str, Ranked]:
    """Done beside the event loop, which must not wait for it."""
    found = {}
    for client_id, told in histories.items():
        beside = portfolio.beside(client_id)
        assessment = assessment_at(told, policy, beside, viewpoint.as_of, viewpoint.known_at)
        found[client_id] = Ranked(client_id, assessment)
    return found


def _assess_with_change(
    histories: Mapping[str, Told], policy: Policy, portfolio: Portfolio, viewpoint: Viewpoint
) -> dict[str, Ranked]:
    found = {}
    instants = (viewpoint.as_of - timedelta(days=LOOKS_BACK[0]), viewpoint.as_of)
    for client_id, told in histories.items():
        then, now = course_of(told, policy, portfolio.beside(client_id), instants, viewpoint.known_at)
        found[client_id] = Ranked(client_id, now, now.score - then.score)
    return found
