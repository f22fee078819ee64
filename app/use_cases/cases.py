"""Cases: one client as seen from a viewpoint, with all that answers about it rest on."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from app.core.account import Account, Look, account_of
from app.core.assessment import Assessment
from app.core.checkpoints import REACHING_BACK
from app.core.course import Pace, assessment_at, course_of, ends_of
from app.core.events import Event
from app.core.explanation import Explanation, explain, looks_of
from app.core.facts import OutOfReachError
from app.core.history import History, NotLoadedError, Reader, Segment, Told
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.reasons import Reasoned, reasoned_at
from app.core.recourse import Options, recourse_of
from app.core.timeline import Effect, Place, timeline_of
from app.ports.checkpoints import Span
from app.ports.clients import ClientRecord
from app.use_cases.errors import InvalidRequestError, NotFoundError
from app.use_cases.histories import Histories
from app.use_cases.memories import Memories
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolios import Portfolios
from app.use_cases.purposes import Evaluations, Purpose
from app.use_cases.recall import SHORT, Recall
from app.use_cases.unheard import UNHEARD
from app.use_cases.viewpoint import Viewpoint

__all__ = [
    "MOST_STEPS",
    "Basis",
    "Case",
    "Cases",
    "accounts_of",
    "assessments_of",
    "explanations_of",
    "timelines_of",
]

T = TypeVar("T")

MOST_STEPS: Final = 400
"""Steps of a history at most."""

_LOOKS_BACK: Final = {Pace.DAY: 90, Pace.WEEK: 364, Pace.MONTH: 730}
"""Days that a history goes back by default."""


class Basis(NamedTuple):
    """What answers about a client as it stands now are made from, beside the instant.

    Attributes:
        revision: the client's.
        activation: of the active policy.
        portfolio: the number of the present one.
    """

    revision: int
    activation: int
    portfolio: int


@dataclass(frozen=True, slots=True)
class Case:
    """One client as seen from a viewpoint.

    What takes time is done beside the event loop, which must not wait for it.

    Attributes:
        tenant_id, client_id: whose client, and which.
        viewpoint: from when one looks.
        policy: the tenant's active one.
        portfolio: what the client is held against.
        revision: the client's.
        told: the client's history: all events of few, of many the part that reaches the viewpoint.
        recall: where more of it comes from; None where it is all there.
        basis: what it is made from; None where one does not look from today.
        evaluations: is told when it is assessed.
    """

    tenant_id: str
    client_id: str
    viewpoint: Viewpoint
    policy: Policy
    portfolio: Portfolio
    revision: int
    told: Told
    recall: Recall | None = None
    basis: Basis | None = None
    evaluations: Evaluations = UNHEARD

    @property
    def beside(self) -> Portfolio:
        """The portfolio as this client is held against it."""
        return self.portfolio.beside(self.client_id)

    def seen(self, told: Told) -> tuple[Told, Policy, Portfolio, datetime, datetime | None]:
        """What the core's questions about one client begin with: a history, policy, portfolio, as_of and known_at."""
        return told, self.policy, self.beside, self.viewpoint.as_of, self.viewpoint.known_at

    async def assessment(self) -> Assessment:
        """How the relationship stands."""
        return (await assessments_of([self]))[0]

    async def explanation(self) -> Explanation:
        """How it stands, how it has moved, what it costs and what to do."""
        return (await explanations_of([self]))[0]

    async def reasoned(self, supposed: Sequence[Event] = (), purpose: Purpose = Purpose.READ) -> Reasoned:
        """How it stands and why, or would had some more happened: what is not older than the part of long histories."""

        def work(case: Case, told: Told) -> Reasoned:
            imagined = replace(case, told=told).supposing(supposed)
            assert imagined is not None, "a history does not shrink"
            return reasoned_at(*case.seen(imagined))

        return (await _each([self], work, purpose=purpose))[0]

    async def recourse(self) -> Options:
        """What the client could do about it."""
        answers = await _each([self], lambda case, told: recourse_of(*case.seen(told)), purpose=Purpose.RECOURSE)
        return answers[0]

    async def timeline(self, before: Place | None, limit: int) -> tuple[list[Effect], Place | None]:
        """What each event did to the score, the newest first; see `timeline_of`."""
        return (await timelines_of([(self, before, limit)]))[0]

    async def history(self, pace: Pace, first: date | None) -> list[Assessment]:
        """How the relationship stood at the end of each day, week or month, oldest first, and at `as_of`.

        Args:
            pace: how far apart.
            first: a local day of the first period; None for a quarter of days, a year of weeks or two years of months.

        Raises:
            InvalidRequestError: the first day lies ahead of the last, or there would be too many steps.
        """
        policy, as_of = self.policy, self.viewpoint.as_of
        today = policy.calendar.day_of(as_of)
        begins = today - timedelta(days=_LOOKS_BACK[pace]) if first is None else first
        if begins > today:
            raise InvalidRequestError("?from", f"expected a day that is not after the last one, {today}")
        instants = list(islice(ends_of(policy.calendar, pace, begins, as_of), MOST_STEPS + 1))
        if len(instants) > MOST_STEPS:
            raise InvalidRequestError("?from", f"expected at most {MOST_STEPS} steps: begin later, or take longer ones")

        def work(case: Case, told: Told) -> list[Assessment]:
            return list(course_of(told, policy, case.beside, instants, case.viewpoint.known_at))

        return (await _each([self], work, lambda _: instants))[0]

    def supposing(self, more: Sequence[Event]) -> Told | None:
        """The history with some more events, or None where they change what is older than what is there of it."""
        if not more:
            return self.told
        if not isinstance(self.told, History):
            return [*self.told, *more]
        *parts, last = self.told.segments
        begins = last.begins
        if begins is not None and any(event.time <= begins or isinstance(event.data, REACHING_BACK) for event in more):
            return None
        # Facts that are remembered are of what really happened.
        return History((*parts, Segment(last.base, [*last.events, *more], last.until)))

    def record(self, newest: ClientRecord) -> ClientRecord:
        """What was known of the client from the viewpoint: nothing, before anything was told."""
        profile = Reader(self.told, self.policy, self.viewpoint.known_at).facts(self.viewpoint.as_of).profile
        return replace(
            newest,
            name=profile.name,
            country=profile.country,
            currency=profile.currency,
            time_zone=profile.time_zone,
        )


def _nothing(case: Case) -> Sequence[datetime]:
    del case
    return ()


async def _each(
    cases: Sequence[Case],
    work: Callable[[Case, Told], T],
    looks: Callable[[Case], Sequence[datetime]] = _nothing,
    purpose: Purpose = Purpose.READ,
) -> list[T]:
    """Ask the same of some cases, together beside the event loop; of long histories more is read where that is needed.

    Args:
        cases: of one tenant.
        work: what is asked; pure.
        looks: the instants beside the viewpoint that it asks for.
        purpose: what for.
    """
    _tell(cases, purpose)

    def first() -> list[T | None]:
        return [_tried(case, work) for case in cases]

    found = await asyncio.to_thread(first)
    left = [place for place, (case, one) in enumerate(zip(cases, found, strict=True)) if one is None and case.recall]
    for viewpoint in dict.fromkeys(cases[place].viewpoint for place in left):
        own = {cases[place].client_id: place for place in left if cases[place].viewpoint == viewpoint}
        some = cases[next(iter(own.values()))]
        assert some.recall is not None
        instants = [viewpoint.as_of, *looks(some)]

        def again(histories: Mapping[str, History], own: Mapping[str, int] = own) -> dict[str, T]:
            return {name: work(cases[own[name]], history) for name, history in histories.items()}

        revisions = {name: cases[place].revision for name, place in own.items()}
        answers = await some.recall.ask(some.tenant_id, some.policy, revisions, instants, again)
        for name, answer in answers.items():
            found[own[name]] = answer
    missing = [case.client_id for case, one in zip(cases, found, strict=True) if one is None]
    if missing:
        # Erased while it was looked at.
        raise NotFoundError(f"there is no client {missing[0]!r}")
    return [one for one in found if one is not None]


def _tell(cases: Sequence[Case], purpose: Purpose) -> None:
    if cases:
        cases[0].evaluations.evaluated(purpose, len(cases))


def _tried(case: Case, work: Callable[[Case, Told], T]) -> T | None:
    try:
        return work(case, case.told)
    except (NotLoadedError, OutOfReachError):
        if case.recall is None:
            raise
        return None


async def explanations_of(cases: Sequence[Case]) -> list[Explanation]:
    """Explain some clients together, so that all are there at once."""

    def looks(case: Case) -> Sequence[datetime]:
        return looks_of(case.policy, case.viewpoint.as_of)

    return await _each(cases, lambda case, told: explain(case.client_id, *case.seen(told)), looks)


async def assessments_of(cases: Sequence[Case], purpose: Purpose = Purpose.READ) -> list[Assessment]:
    """Assess some clients together."""
    return await _each(cases, lambda case, told: assessment_at(*case.seen(told)), purpose=purpose)


async def accounts_of(cases: Sequence[Case], begins: Look, ends: Look) -> list[Account]:
    """Give accounts of some clients between two instants, together.

    Of long histories no part is apart from what was told late: there all counts that is known by now.
    """

    def work(case: Case, told: Told) -> Account:
        looks = (begins, ends)
        if case.recall is not None:
            looks = (replace(begins, known_at=None), replace(ends, known_at=None))
        return account_of(told, case.policy, case.beside, *looks)

    return await _each(cases, work, lambda _: (begins.as_of, ends.as_of), Purpose.LIST)


async def timelines_of(
    asked: Sequence[tuple[Case, Place | None, int]],
) -> list[tuple[list[Effect], Place | None]]:
    """The timelines of some clients together, each from a place on and of a length."""
    _tell([case for case, _, _ in asked], Purpose.READ)

    def whole() -> list[tuple[list[Effect], Place | None] | None]:
        return [
            None if case.recall else timeline_of(*case.seen(case.told), before, limit) for case, before, limit in asked
        ]

    found = []
    for (case, before, limit), one in zip(asked, await asyncio.to_thread(whole), strict=True):
        found.append(one or await _timeline(case, before, limit))
    return found


async def _timeline(case: Case, before: Place | None, limit: int) -> tuple[list[Effect], Place | None]:
    assert case.recall is not None

    def work(history: History) -> tuple[list[Effect], Place | None]:
        return timeline_of(*case.seen(history), before, limit)

    return await case.recall.ask_back(
        case.tenant_id, case.policy, case.client_id, case.revision, before, case.viewpoint.as_of, limit, work
    )


class Cases:
    """Reads cases: the same few statements for one client as for many."""

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        histories: Histories,
        memories: Memories,
        recall: Recall,
        portfolios: Portfolios,
        policies: ManagePolicies,
        evaluations: Evaluations = UNHEARD,
    ) -> None:
        """Read clients' events, portfolios and the active policy; cases tell when they are assessed."""
        self._evaluations = evaluations
        self._histories = histories
        self._memories = memories
        self._recall = recall
        self._portfolios = portfolios
        self._policies = policies

    async def one(self, tenant_id: str, client_id: str, viewpoint: Viewpoint, *, morning: bool = False) -> Case:
        """Read once all that answers about one client rest on, so that they rest on the same.

        With `morning` it can be asked for the beginning of the viewpoint's local day, too.

        Raises:
            NotFoundError: no event ever named that client.
        """
        found = await self.several(tenant_id, [client_id], viewpoint, morning=morning)
        if client_id not in found:
            raise NotFoundError(f"there is no client {client_id!r}")
        return found[client_id]

    async def several(
        self, tenant_id: str, client_ids: Sequence[str], viewpoint: Viewpoint, *, morning: bool = False
    ) -> dict[str, Case]:
        """The same for some clients; who is not known is left out."""
        policy, activation = await self._policies.in_force(tenant_id)
        known = await self._histories.revisions(tenant_id, client_ids)
        if not known:
            return {}
        number, portfolio = await self._portfolios.seen_from(tenant_id, policy, viewpoint)
        # What was known at another instant, no checkpoint can tell.
        long = {name: one for name, one in known.items() if one > SHORT and viewpoint.known_at is None}
        found: dict[str, Case] = {}

        def case_of(name: str, told: Told, recall: Recall | None = None) -> Case:
            tell = self._evaluations
            return Case(tenant_id, name, viewpoint, policy, portfolio, known[name], told, recall, None, tell)

        if long:
            spans = [Span(viewpoint.as_of, viewpoint.as_of)]
            if morning:
                began = policy.calendar.end_of(policy.calendar.day_of(viewpoint.as_of) - timedelta(days=1))
                spans.append(Span(began, began))
            for name, part in (await self._recall.load(tenant_id, policy, long, spans)).items():
                found[name] = case_of(name, part, self._recall)
        short = {name: known[name] for name in known.keys() - long.keys()}
        async for group in self._histories.groups(tenant_id, short):
            for name, events in group.items():
                history = History((Segment(None, events),), self._memories.of(tenant_id, name, known[name]))
                found[name] = case_of(name, history)
        if number is not None:
            found = {
                name: replace(case, basis=Basis(case.revision, activation, number)) for name, case in found.items()
            }
        return {client_id: found[client_id] for client_id in known if client_id in found}

    async def whole(self, case: Case) -> Case:
        """The same with all events of the client, however many they are."""
        revisions = await self._histories.revisions(case.tenant_id, [case.client_id])
        async for group in self._histories.groups(case.tenant_id, revisions):
            return replace(case, told=group[case.client_id], recall=None)
        raise NotFoundError(f"there is no client {case.client_id!r}")
