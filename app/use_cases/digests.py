"""Digests: what became of a tenant's clients in a period and why, the same work for few clients as for many."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from app.core.account import Account, Look
from app.core.assessment import Assessment
from app.core.net_change import NetChange, NetKind
from app.core.policy import Policy
from app.core.reading import STEP, Reading
from app.ports.changes import ForgottenPlaceError
from app.ports.clock import Clock
from app.ports.net_changes import FeedPart, Net, NetChanges
from app.use_cases.cases import Cases, accounts_of
from app.use_cases.errors import GoneError, InvalidRequestError, NotFoundError
from app.use_cases.histories import Histories
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolio_metrics import PortfolioMetrics, Shown
from app.use_cases.portfolios import Portfolios
from app.use_cases.recent import Recent
from app.use_cases.viewpoint import Viewpoint

__all__ = ["MOST_CLIENTS", "USUAL_CLIENTS", "USUAL_DAYS", "ClientDigest", "Digest", "Digests", "Outline", "Wanted"]

MOST_CLIENTS: Final = 50
USUAL_CLIENTS: Final = 20
"""Clients that are told of one by one."""
USUAL_DAYS: Final = 7
_MOST_CHANGES: Final = 200_000
"""Changes that are looked at, the newest ones."""
_KEPT: Final = 5_000
"""Net changes kept at hand, for who asks again."""
_TICK: Final = timedelta(microseconds=1)
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """Of which period, in one of three ways: so many days, from one end to another, or after a place of the feed.

    Attributes:
        days: by the tenant's clock, up to `until`; 7 where nothing else tells where it begins.
        since: where it begins; of a day its beginning.
        until: where it ends, not included; of a day its end. None for now.
        after: the place.
        limit: how many clients are told of one by one.
    """

    days: int | None = None
    since: datetime | date | None = None
    until: datetime | date | None = None
    after: int | None = None
    limit: int = USUAL_CLIENTS


@dataclass(frozen=True, slots=True)
class Outline:
    """What a digest is to tell, before anybody is assessed.

    Attributes:
        tenant_id: whose.
        policy: the active one.
        since, until: the two ends of the period.
        is_open: whether it ends now.
        part: the part of the feed.
        net: what became of the clients.
        shown: how the portfolio stands now; None where the period ended before.
        parts: what the digest is made from, for a tag.
    """

    tenant_id: str
    policy: Policy
    since: datetime
    until: datetime
    is_open: bool
    part: FeedPart
    net: Net
    shown: Shown | None
    parts: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class ClientDigest:
    """What became of one client.

    Attributes:
        change: at the two ends of the period: as assessed anew where that comes to the same verdict and type as what
            was stored, else as it was stored.
        account: why, and what to do.
    """

    change: NetChange
    account: Account

    @property
    def points(self) -> float | None:
        """By how much the score moved; None for a new client."""
        return None if self.change.before is None else self.change.after.score - self.change.before.score

    @property
    def rest(self) -> float:
        """What of that is no sign's doing: the other clients', another policy's, or what was told late."""
        return 0.0 if self.points is None else self.points - self.account.moved.score


@dataclass(frozen=True, slots=True)
class Digest:
    """What became of the clients in a period: `clients` has those who matter most, in that order."""

    outline: Outline
    clients: Sequence[ClientDigest]

    @property
    def counts(self) -> Mapping[NetKind, int]:
        """How many clients, by what became of them."""
        return self.outline.net.counts

    @property
    def not_shown(self) -> int:
        """How many more became worse, better or new, or returned."""
        told = sum(count for kind, count in self.counts.items() if kind is not NetKind.SLIGHT)
        return max(told - len(self.clients), 0)


class Digests:
    """Makes digests.

    The feed tells who changed, and only those are assessed who are told of one by one.
    """

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        changes: NetChanges,
        cases: Cases,
        histories: Histories,
        portfolios: Portfolios,
        policies: ManagePolicies,
        metrics: PortfolioMetrics,
        clock: Clock,
        keep_days: int,
    ) -> None:
        """Read feeds, which are kept for so many days, and assess whom they name, at the time of a clock."""
        self._changes = changes
        self._cases = cases
        self._histories = histories
        self._portfolios = portfolios
        self._policies = policies
        self._metrics = metrics
        self._clock = clock
        self._keep_days = keep_days
        # What a part of a feed tells stays as it is until somebody is erased, which the tallies know.
        self._nets: Recent[tuple[str, FeedPart, int, int], Net] = Recent(_KEPT)

    async def outline(self, tenant_id: str, wanted: Wanted) -> Outline:
        """What a digest would tell, and be made from.

        Raises:
            InvalidRequestError: there is no such period, or it begins before what is kept.
            GoneError: some after the place are not kept any more.
        """
        policy, _ = await self._policies.in_force(tenant_id)
        now = self._clock.now().astimezone(UTC)
        ends = _instant(policy, wanted.until, first=False)
        is_open = ends is None or ends >= now
        until = now if ends is None or is_open else ends
        begins = None if wanted.after is not None else self._begins(policy, wanted, until, now)
        # Of few clients all are assessed first, and the feed tells how they stand.
        shown, version = await self._metrics.shown(tenant_id, 0)
        try:
            start = begins if wanted.after is None else wanted.after
            assert start is not None
            part = await self._changes.part(tenant_id, start, None if is_open else until)
        except ForgottenPlaceError:
            raise GoneError(
                f"changes are kept for {self._keep_days} days, and some after this place are not any more: "
                "ask for a `period`"
            ) from None
        if begins is None:
            begins = await self._changes.reached(tenant_id, part.after) or until
        key = (tenant_id, part, wanted.limit, version.state.revision)
        net = self._nets.get(key)
        if net is None:
            net = await self._changes.net(tenant_id, part, _MOST_CHANGES, wanted.limit)
            self._nets.put(key, net, len(net.first) + 1)
        since = net.cut or begins
        revisions = await self._histories.revisions(tenant_id, [one.client_id for one in net.first])
        present = await self._portfolios.present(tenant_id, policy)
        parts = (
            *version.parts,
            present.number,
            since.isoformat(),
            policy.calendar.day_of(until).isoformat() if is_open else until.isoformat(),
            part.after,
            part.until,
            wanted.limit,
            [[one.client_id, revisions.get(one.client_id)] for one in net.first],
        )
        return Outline(tenant_id, policy, since, until, is_open, part, net, shown if is_open else None, parts)

    async def digest(self, outline: Outline) -> Digest:
        """Make it."""
        begins = outline.since - _TICK
        first = Look(begins, begins)
        last = Look(outline.until) if outline.is_open else Look(outline.until - _TICK, outline.until - _TICK)
        accounts = await self._accounts(outline, first, last)
        clients = [
            ClientDigest(_agreed(one, accounts[one.client_id]), accounts[one.client_id])
            for one in outline.net.first
            if one.client_id in accounts
        ]
        return Digest(outline, clients)

    async def _accounts(self, outline: Outline, first: Look, last: Look) -> dict[str, Account]:
        names = [one.client_id for one in outline.net.first]
        for _ in range(_ATTEMPTS):
            # One looks from now: the portfolio of another day would have to be worked out from all clients.
            cases = await self._cases.several(outline.tenant_id, names, Viewpoint(self._clock.now()))
            try:
                return dict(zip(cases, await accounts_of(list(cases.values()), first, last), strict=True))
            except NotFoundError:
                # Erased while it was looked at.
                continue
        return {}

    def _begins(self, policy: Policy, wanted: Wanted, until: datetime, now: datetime) -> datetime:
        calendar = policy.calendar
        oldest = calendar.day_of(now) - timedelta(days=self._keep_days)
        since = _instant(policy, wanted.since, first=True)
        if since is None:
            days = USUAL_DAYS if wanted.days is None else wanted.days
            # By the clock on the wall: a week is one where the clocks are changed, too.
            local = calendar.local(until) - timedelta(days=days)
            if until == now:
                # So that mails that are not sent to the second leave nothing out between them.
                local = local.replace(minute=0, second=0, microsecond=0)
            since = local.astimezone(UTC)
        name = "?from" if wanted.since is not None else "?until" if wanted.until is not None else "?period"
        if since >= until:
            raise InvalidRequestError(name, "expected a period that begins before it ends, and in the past")
        if calendar.day_of(since) < oldest:
            raise InvalidRequestError(
                name, f"changes are kept for {self._keep_days} days: expected a period that begins on {oldest} or later"
            )
        return since


def _instant(policy: Policy, given: datetime | date | None, *, first: bool) -> datetime | None:
    """The instant that is meant: of a day its beginning, or its end."""
    if given is None:
        return None
    if isinstance(given, datetime):
        return given.astimezone(UTC)
    return policy.calendar.end_of(given - timedelta(days=1) if first else given) + _TICK


def _agreed(change: NetChange, account: Account) -> NetChange:
    before = None if change.before is None else _at_the_end(change.before, account.before)
    return NetChange(change.client_id, change.kind, before, _at_the_end(change.after, account.after), change.between)


def _at_the_end(stored: Reading, found: Assessment) -> Reading:
    """The reading at an end of the period: of one that was stored then the score may have moved on within its step."""
    anew = Reading(found.score, found.verdict, found.client_type.name)
    same = (anew.verdict, anew.client_type) == (stored.verdict, stored.client_type)
    return anew if same and abs(anew.score - stored.score) < STEP else stored
