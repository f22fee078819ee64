"""Unchanged: whether an answer about a client that was worked out before would be the same now, without doing so."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from app.core.policy import Policy
from app.core.trend import LOOKS_BACK
from app.ports.assessments import Assessments
from app.use_cases.cases import Basis
from app.use_cases.histories import Histories
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolios import Portfolios

__all__ = ["EXPLAINED", "NOW_ALONE", "Unchanged"]

NOW_ALONE: Final[tuple[timedelta, ...]] = (timedelta(0),)
EXPLAINED: Final = (timedelta(0), *(timedelta(days=days) for days in LOOKS_BACK))
"""How far an answer looks back by the clock; whatever else it looks at are ends of days."""


class Unchanged:
    """Tells whether answers still hold.

    All fades by whole local days, so that an answer holds until something is told, the day ends, or an event happens
    that was told ahead of its time: also on the days that it looks back to.
    """

    def __init__(
        self, assessments: Assessments, histories: Histories, portfolios: Portfolios, policies: ManagePolicies
    ) -> None:
        """Look at what answers are made from."""
        self._assessments = assessments
        self._histories = histories
        self._portfolios = portfolios
        self._policies = policies

    async def basis(self, tenant_id: str, client_id: str) -> tuple[Basis, Policy] | None:
        """What answers about a client as it stands now are made from at present; None for an unknown one."""
        policy, activation = await self._policies.in_force(tenant_id)
        revisions = await self._histories.revisions(tenant_id, [client_id])
        if client_id not in revisions:
            return None
        portfolio = await self._portfolios.present(tenant_id, policy)
        return Basis(revisions[client_id], activation, portfolio.number), policy

    async def holds(  # noqa: PLR0917 - of whom, and between which instants
        self,
        tenant_id: str,
        client_id: str,
        policy: Policy,
        then: datetime,
        now: datetime,
        looks: Sequence[timedelta],
    ) -> bool:
        """Whether an answer of an instant is that of a later one too, as all that it is made from is the same.

        Args:
            tenant_id: whose client.
            client_id: which.
            policy: the active one.
            then, now: the two instants.
            looks: how far the answer looks back.
        """
        if then > now:
            return False
        day_of = policy.calendar.day_of
        for back in looks:
            begins, ends = then - back, now - back
            if day_of(begins) != day_of(ends):
                return False
            ahead = (await self._assessments.ahead(tenant_id, [client_id], begins)).get(client_id)
            if ahead is not None and ahead <= ends:
                return False
        return True
