"""Verify: hold what is stored beside the events against what the events come to."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app.core.events import Event, Mark
from app.core.facts import Chronicle, State
from app.core.policy import Policy
from app.ports.assessments import AssessmentFormat, Assessments, Made, Stored
from app.ports.checkpoints import Checkpoints
from app.ports.portfolios import StoredPortfolios
from app.ports.tallies import Tallies
from app.use_cases.histories import Histories
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolios import FEW, Present, put_together, shares_on
from app.use_cases.reassess import made_from

__all__ = [
    "Check",
    "CheckAssessments",
    "CheckCheckpoints",
    "CheckPortfolio",
    "CheckShares",
    "CheckTallies",
    "Checked",
    "Difference",
    "Verify",
]

_GROUP: Final = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """That something stored is not what the events come to; `client_id` is None for what is about all of them."""

    what: str
    client_id: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What came out for some clients.

    Attributes:
        compared: how many stored things were worked out anew.
        outdated: how many were not, because they are to be made anew anyway.
        differences: what differs.
    """

    compared: int = 0
    outdated: int = 0
    differences: tuple[Difference, ...] = ()


class Check(Protocol):
    """Holds one kind of stored thing against the events."""

    async def clients(self, tenant_id: str, client_ids: Sequence[str]) -> Checked:
        """What is stored of some clients."""
        ...

    async def together(self, tenant_id: str) -> Checked:
        """What is stored of all of them together."""
        ...


class Verify:
    """Does some checks for a tenant."""

    def __init__(self, histories: Histories, checks: Sequence[Check]) -> None:
        """Find clients, and check each kind of stored thing."""
        self._histories = histories
        self._checks = checks

    async def __call__(self, tenant_id: str, sample: int | None = None) -> AsyncIterator[Checked]:
        """Check all of a tenant's clients, or so many by chance, part by part.

        What changes while it is looked at is looked at twice, so that only what stays different is told.
        """
        clients = sorted(await self._histories.revisions(tenant_id))
        if sample is not None and sample < len(clients):
            clients = sorted(random.sample(clients, sample))
        for check in self._checks:
            for start in range(0, len(clients), _GROUP):
                yield await check.clients(tenant_id, clients[start : start + _GROUP])
            yield await check.together(tenant_id)


class CheckAssessments:
    """Stored assessments: each made anew as of its instant."""

    def __init__(
        self,
        assessments: Assessments,
        form: AssessmentFormat,
        portfolios: StoredPortfolios,
        histories: Histories,
        policies: ManagePolicies,
    ) -> None:
        """Read what is stored, and what it was made from."""
        self._assessments = assessments
        self._form = form
        self._portfolios = portfolios
        self._histories = histories
        self._policies = policies

    async def clients(self, tenant_id: str, client_ids: Sequence[str]) -> Checked:
        """Some clients' assessments."""
        found = await self._compare(tenant_id, client_ids)
        if found.differences:
            again = await self._compare(tenant_id, [one.client_id for one in found.differences if one.client_id])
            return Checked(found.compared, found.outdated, again.differences)
        return found

    async def together(self, tenant_id: str) -> Checked:
        """That nobody is forgotten: who is not due has an assessment that counts everything."""
        loaded = await self._portfolios.load(tenant_id)
        forgotten = await self._assessments.forgotten(tenant_id, loaded[0] if loaded else 0)
        detail = "its stored assessment is outdated, and it is not due"
        return Checked(0, 0, tuple(Difference("assessment", client_id, detail) for client_id in forgotten))

    async def _compare(self, tenant_id: str, client_ids: Sequence[str]) -> Checked:
        stored = await self._assessments.several(tenant_id, client_ids)
        loaded = await self._portfolios.load(tenant_id)
        revisions = await self._histories.revisions(tenant_id, client_ids)
        differences = [
            Difference("assessment", client_id, "it cannot be read")
            for client_id, one in stored.items()
            if one.made is None
        ]
        whole: dict[str, tuple[Stored, Made]] = {}
        if loaded is not None:
            for client_id, one in stored.items():
                made = one.made
                if made and made.revision == revisions.get(client_id) and made.portfolio == loaded[0]:
                    whole[client_id] = one, made
        async for group in self._histories.groups(tenant_id, {client_id: revisions[client_id] for client_id in whole}):
            assert loaded is not None
            for client_id, events in group.items():
                one, made = whole[client_id]
                policy = await self._policies.policy(tenant_id, made.assessment.policy_version)
                ahead = min((event.time for event in events if event.time > one.as_of), default=None)
                present = Present(*loaded, few=False)
                fresh = await asyncio.to_thread(
                    made_from, client_id, events, made.revision, policy, present, one.as_of, ahead
                )
                differences += _differences(one, made, fresh, self._form.dump(fresh.assessment))
        return Checked(len(whole), len(revisions) - len(whole), tuple(differences))


def _differences(stored: Stored, made: Made, fresh: Made, content: bytes) -> list[Difference]:
    found = fresh.assessment
    pairs = (
        ("score", stored.listed.score, found.score),
        ("change", stored.listed.change, fresh.change),
        ("verdict", stored.listed.verdict, found.verdict.value),
        ("client_type", stored.listed.client_type, found.client_type.name),
        ("leading_sign", stored.listed.leading_sign, found.leading_sign),
        ("holds_until", made.holds_until, fresh.holds_until),
        ("content", stored.content, content),
        # It may not have one yet.
        ("tally", made.tally or fresh.tally, fresh.tally),
    )
    details = [f"{name}: stored {was!r}, comes to {now!r}" for name, was, now in pairs if was != now]
    return [Difference("assessment", fresh.client_id, "; ".join(details))] if details else []


class CheckTallies:
    """What the tallies of all clients add up to: counted anew."""

    def __init__(self, tallies: Tallies) -> None:
        """Read what is stored."""
        self._tallies = tallies

    async def clients(self, tenant_id: str, client_ids: Sequence[str]) -> Checked:
        """It is about all of them; whether each one's is right, `CheckAssessments` knows."""
        del tenant_id, client_ids
        return Checked()

    async def together(self, tenant_id: str) -> Checked:
        """Every sum, in one look at all of it."""
        found = await self._tallies.differences(tenant_id)
        differences = [
            Difference("tally", None, f"{term} {label or 'in all'}: stored {kept}, comes to {whole}")
            for (term, label), (kept, whole) in found.items()
        ]
        return Checked(1, 0, tuple(differences))


class CheckShares:
    """Stored shares in the portfolio: each made anew for its day."""

    def __init__(self, portfolios: StoredPortfolios, histories: Histories, policies: ManagePolicies) -> None:
        """Read what is stored, and what it was made from."""
        self._portfolios = portfolios
        self._histories = histories
        self._policies = policies

    async def clients(self, tenant_id: str, client_ids: Sequence[str]) -> Checked:
        """Some clients' shares."""
        found = await self._compare(tenant_id, client_ids)
        if found.differences:
            again = await self._compare(tenant_id, [one.client_id for one in found.differences if one.client_id])
            return Checked(found.compared, found.outdated, again.differences)
        return found

    async def together(self, tenant_id: str) -> Checked:
        """Each is one client's."""
        del tenant_id
        return Checked()

    async def _compare(self, tenant_id: str, client_ids: Sequence[str]) -> Checked:
        of = (await self._portfolios.state(tenant_id, FEW)).of
        if of is None:
            return Checked(0, len(client_ids))
        shares = await self._portfolios.shares(tenant_id, of, client_ids)
        revisions = await self._histories.revisions(tenant_id, client_ids)
        whole = {name: revision for name, revision in revisions.items() if name in shares}
        whole = {name: revision for name, revision in whole.items() if shares[name].revision == revision}
        policy = await self._policies.policy(tenant_id, of.policy_version)
        differences: list[Difference] = []
        async for group in self._histories.groups(tenant_id, whole):
            fresh = await asyncio.to_thread(shares_on, group, policy, of.day)
            differences += [
                Difference("share", name, f"stored {shares[name].share}, comes to {share}")
                for name, share in fresh.items()
                if share != shares[name].share
            ]
        return Checked(len(whole), len(revisions) - len(whole), tuple(differences))


class CheckCheckpoints:
    """The newest checkpoint of each client: made anew from all events up to it."""

    def __init__(self, checkpoints: Checkpoints, histories: Histories, policies: ManagePolicies) -> None:
        """Read what is stored, and what it was made from."""
        self._checkpoints = checkpoints
        self._histories = histories
        self._policies = policies

    async def clients(self, tenant_id: str, client_ids: Sequence[str]) -> Checked:
        """Some clients' checkpoints, by the active policy."""
        policy = await self._policies.active(tenant_id)
        compared, differences = 0, []
        for client_id in client_ids:
            base = (await self._checkpoints.tail(tenant_id, policy.version, client_id, 1)).base
            if base is None or base.state.last is None:
                continue
            compared += 1
            revisions = await self._histories.revisions(tenant_id, [client_id])
            async for group in self._histories.groups(tenant_id, revisions):
                if await asyncio.to_thread(_replayed, group[client_id], policy, base.state.last) != base.state:
                    # An event may have come between the two looks: it would have deleted the checkpoint.
                    again = (await self._checkpoints.tail(tenant_id, policy.version, client_id, 1)).base
                    if again is not None and again.state == base.state:
                        detail = f"the state after {base.state.last.ref.id!r} is not what the events come to"
                        differences.append(Difference("checkpoint", client_id, detail))
        return Checked(compared, 0, tuple(differences))

    async def together(self, tenant_id: str) -> Checked:
        """Each is one client's."""
        del tenant_id
        return Checked()


def _replayed(events: Sequence[Event], policy: Policy, last: Mark) -> State:
    chronicle = Chronicle([event for event in events if event.mark <= last], policy)
    chronicle.advance(len(chronicle.events))
    return chronicle.state()


class CheckPortfolio:
    """The stored portfolio: put together anew from the stored shares."""

    def __init__(self, portfolios: StoredPortfolios, policies: ManagePolicies) -> None:
        """Read what is stored."""
        self._portfolios = portfolios
        self._policies = policies

    async def clients(self, tenant_id: str, client_ids: Sequence[str]) -> Checked:
        """It is about all of them."""
        del tenant_id, client_ids
        return Checked()

    async def together(self, tenant_id: str) -> Checked:
        """Where shares have changed since, it is to be put together anyway."""
        state = await self._portfolios.state(tenant_id, FEW)
        loaded = await self._portfolios.load(tenant_id)
        if state.of is None or loaded is None:
            return Checked()
        policy = await self._policies.policy(tenant_id, state.of.policy_version)
        made = put_together(state.of, await self._portfolios.shares(tenant_id, state.of), policy)
        whole = (len(made.revisions), sum(made.revisions.values())) == (state.clients, state.revisions)
        if not whole or loaded[0] != state.number:
            return Checked(0, 1)
        rates = {name: made.portfolio.beside(name).rates for name in sorted(made.log_rates)[:_GROUP]}
        same = loaded[1] == made.portfolio and rates == {name: loaded[1].beside(name).rates for name in rates}
        detail = "it is not what the stored shares come to"
        return Checked(1, 0, () if same else (Difference("portfolio", None, detail),))
