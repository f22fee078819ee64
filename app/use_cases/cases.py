"""Cases: one client as seen from a viewpoint, with all that answers about it rest on."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final

from app.core.assessment import Assessment
from app.core.course import Pace, assessment_at, course_of, ends_of
from app.core.events import Event
from app.core.explanation import Explanation, explain
from app.core.facts import gather
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.recourse import Options, recourse_of
from app.core.timeline import Effect, Place, timeline_of
from app.ports.clients import ClientRecord
from app.use_cases.errors import InvalidRequestError, NotFoundError
from app.use_cases.histories import Histories
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolios import Portfolios
from app.use_cases.viewpoint import Viewpoint

__all__ = ["MOST_STEPS", "Case", "Cases", "assessments_of", "explanations_of", "timelines_of"]

MOST_STEPS: Final = 400
"""Steps of a history at most."""

_LOOKS_BACK: Final = {Pace.DAY: 90, Pace.WEEK: 364, Pace.MONTH: 730}
"""Days that a history goes back by default."""


@dataclass(frozen=True, slots=True)
class Case:
    """One client as seen from a viewpoint.

    What takes time is done beside the event loop, which must not wait for it.
    """

    client_id: str
    viewpoint: Viewpoint
    policy: Policy
    events: Sequence[Event]
    portfolio: Portfolio

    @property
    def seen(self) -> tuple[Sequence[Event], Policy, Portfolio, datetime, datetime | None]:
        """What the core's questions about one client begin with: events, policy, portfolio, as_of and known_at."""
        viewpoint, beside = self.viewpoint, self.portfolio.beside(self.client_id)
        return self.events, self.policy, beside, viewpoint.as_of, viewpoint.known_at

    async def assessment(self) -> Assessment:
        """How the relationship stands."""
        return await asyncio.to_thread(assessment_at, *self.seen)

    async def explanation(self) -> Explanation:
        """How it stands, how it has moved, what it costs and what to do."""
        return await asyncio.to_thread(explain, self.client_id, *self.seen)

    async def recourse(self) -> Options:
        """What the client could do about it."""
        return await asyncio.to_thread(recourse_of, *self.seen)

    async def timeline(self, before: Place | None, limit: int) -> tuple[list[Effect], Place | None]:
        """What each event did to the score, the newest first; see `timeline_of`."""
        return await asyncio.to_thread(timeline_of, *self.seen, before, limit)

    async def history(self, pace: Pace, first: date | None) -> list[Assessment]:
        """How the relationship stood at the end of each day, week or month, oldest first, and at `as_of`.

        Args:
            pace: how far apart.
            first: a local day of the first period; None for a quarter of days, a year of weeks or two years of months.

        Raises:
            InvalidRequestError: the first day lies ahead of the last, or there would be too many steps.
        """
        events, policy, portfolio, as_of, known_at = self.seen
        today = policy.calendar.day_of(as_of)
        begins = today - timedelta(days=_LOOKS_BACK[pace]) if first is None else first
        if begins > today:
            raise InvalidRequestError("?from", f"expected a day that is not after the last one, {today}")
        instants = list(islice(ends_of(policy.calendar, pace, begins, as_of), MOST_STEPS + 1))
        if len(instants) > MOST_STEPS:
            raise InvalidRequestError("?from", f"expected at most {MOST_STEPS} steps: begin later, or take longer ones")

        def work() -> list[Assessment]:
            return list(course_of(events, policy, portfolio, instants, known_at))

        return await asyncio.to_thread(work)

    def record(self, newest: ClientRecord) -> ClientRecord:
        """What was known of the client from the viewpoint: nothing, before anything was told."""
        profile = gather(self.events, self.policy, self.viewpoint.as_of, self.viewpoint.known_at).profile
        return replace(
            newest,
            name=profile.name,
            country=profile.country,
            currency=profile.currency,
            time_zone=profile.time_zone,
        )


async def explanations_of(cases: Sequence[Case]) -> list[Explanation]:
    """Explain some clients together, so that all are there at once."""
    return await asyncio.to_thread(lambda: [explain(case.client_id, *case.seen) for case in cases])


async def assessments_of(cases: Sequence[Case]) -> list[Assessment]:
    """Assess some clients together."""
    return await asyncio.to_thread(lambda: [assessment_at(*case.seen) for case in cases])


async def timelines_of(
    asked: Sequence[tuple[Case, Place | None, int]],
) -> list[tuple[list[Effect], Place | None]]:
    """The timelines of some clients together, each from a place on and of a length."""
    return await asyncio.to_thread(lambda: [timeline_of(*case.seen, before, limit) for case, before, limit in asked])


class Cases:
    """Reads cases: the same few statements for one client as for many."""

    def __init__(self, histories: Histories, portfolios: Portfolios, policies: ManagePolicies) -> None:
        """Read clients' events, portfolios and the active policy."""
        self._histories = histories
        self._portfolios = portfolios
        self._policies = policies

    async def one(self, tenant_id: str, client_id: str, viewpoint: Viewpoint) -> Case:
        """Read once all that answers about one client rest on, so that they rest on the same.

        Raises:
            NotFoundError: no event ever named that client.
        """
        found = await self.several(tenant_id, [client_id], viewpoint)
        if client_id not in found:
            raise NotFoundError(f"there is no client {client_id!r}")
        return found[client_id]

    async def several(self, tenant_id: str, client_ids: Sequence[str], viewpoint: Viewpoint) -> dict[str, Case]:
        """The same for some clients; who is not known is left out."""
        policy = await self._policies.active(tenant_id)
        known = await self._histories.revisions(tenant_id, client_ids)
        if not known:
            return {}
        portfolio = await self._portfolios.seen_from(tenant_id, policy, viewpoint)
        return {
            client_id: Case(client_id, viewpoint, policy, events, portfolio)
            async for group in self._histories.groups(tenant_id, known)
            for client_id, events in group.items()
        }
