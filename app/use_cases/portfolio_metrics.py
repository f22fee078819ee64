"""Portfolio metrics: how all clients of a tenant stand together, in numbers that are kept and not counted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from decimal import Decimal
from typing import Final

from app.core.money import Money
from app.core.policy import Policy
from app.core.signs import SIGNS
from app.core.strategies import APPROACHES
from app.core.tally import SCORE_STEPS, Sums, Tally, Term, kind_of
from app.core.verdict import Verdict
from app.ports.clock import Clock
from app.ports.tallies import ChangesOfDay, Tallied, TalliedClient, Tallies, TallyState
from app.use_cases.policies import ManagePolicies
from app.use_cases.reassess import MOST_STALE, Reassess

__all__ = [
    "CLIENT_TYPES",
    "MOST_CLIENTS",
    "WINDOWS",
    "Changes",
    "ClientMetrics",
    "Moves",
    "PortfolioMetrics",
    "Shown",
    "SignStrain",
    "Step",
    "Version",
]

MOST_CLIENTS: Final = 100
"""Clients that are shown one by one, at most."""
WINDOWS: Final = (7, 30)
"""Days that changes are told of: whole days of UTC, the present one as far as it has gone."""
CLIENT_TYPES: Final = tuple(APPROACHES)
_KEPT_DAYS: Final = 40
"""Days by which changes are kept; older ones are put together."""


@dataclass(frozen=True, slots=True)
class Step:
    """How many clients have a score above the end of the step before and up to this one's."""

    up_to: int
    clients: int


@dataclass(frozen=True, slots=True)
class SignStrain:
    """What one sign says of all clients together.

    Attributes:
        sign: which.
        decibans: its evidence, added up; what reassures takes away from it.
        leads: how many clients it weighs most with.
    """

    sign: str
    decibans: float
    leads: int


@dataclass(frozen=True, slots=True)
class Moves:
    """How many clients went from one verdict to another; see `app.ports.tallies.ChangesOfDay`."""

    before: Verdict | None
    after: Verdict | None
    clients: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed in so many days.

    Attributes:
        days: how many, the present one included.
        since: the first of them.
        moves: each that can be, from better to worse; those that nobody made too.
    """

    days: int
    since: date
    moves: Sequence[Moves]

    @property
    def improved(self) -> int:
        """How many times a client came to a better verdict."""
        return self._where(better=True)

    @property
    def worsened(self) -> int:
        """How many times a client came to a worse verdict."""
        return self._where(better=False)

    def _where(self, *, better: bool) -> int:
        order = list(Verdict)
        return sum(
            one.clients
            for one in self.moves
            if one.before is not None
            and one.after is not None
            and (order.index(one.after) < order.index(one.before)) == better
        )


@dataclass(frozen=True, slots=True)
class ClientMetrics:
    """One client; `name` is None unless it was asked for. See `Shown` for the rest."""

    client_id: str
    name: str | None
    score: float
    change: float
    verdict: Verdict
    client_type: str
    leading_sign: str | None
    strain: Mapping[str, float]
    money_at_risk: Sequence[Money]
    cost_of_staying: Sequence[Money]


@dataclass(frozen=True, slots=True)
class Shown:
    """The metrics of a portfolio.

    Attributes:
        groups: how many clients have a verdict and a type; those that nobody has too.
        score_sum: of all clients.
        change_sum: by how much all scores changed in the last 30 days, added up.
        steps: the distribution of scores.
        strain: each sign.
        without_sign: clients with whom no sign weighs anything.
        money_at_risk: what is overdue or was taken back, by currency.
        cost_of_staying: per month, by currency.
        changes: in each of `WINDOWS`.
        clients: those with the highest scores, the highest first.
        state: which clients are not counted as they stand now, and how old all of it is.
        policy_version: the active policy.
    """

    groups: Mapping[tuple[Verdict, str], int]
    score_sum: float
    change_sum: float
    steps: Sequence[Step]
    strain: Sequence[SignStrain]
    without_sign: int
    money_at_risk: Sequence[Money]
    cost_of_staying: Sequence[Money]
    changes: Sequence[Changes]
    clients: Sequence[ClientMetrics]
    state: TallyState
    policy_version: str

    @property
    def count(self) -> int:
        """How many clients there are."""
        return sum(self.groups.values())

    @property
    def by_verdict(self) -> dict[Verdict, int]:
        """Clients by verdict, from best to worst."""
        return {one: sum(n for (verdict, _), n in self.groups.items() if verdict is one) for one in Verdict}

    @property
    def by_client_type(self) -> dict[str, int]:
        """Clients by type."""
        kinds = dict.fromkeys(kind for _, kind in self.groups)
        return {one: sum(n for (_, kind), n in self.groups.items() if kind == one) for one in kinds}

    def mean(self, total: float) -> float | None:
        """What falls to one client of what was added up; None where there are none."""
        return total / self.count if self.count else None


@dataclass(frozen=True, slots=True)
class Version:
    """What the metrics are made from: the same ones are made from the same."""

    state: TallyState
    policy_version: str
    activation: int
    today: date

    @property
    def parts(self) -> tuple[object, ...]:
        """For a tag."""
        since = self.state.stale_since
        return (
            self.state.revision,
            self.state.stale,
            since and since.isoformat(),
            self.policy_version,
            self.activation,
            self.today.isoformat(),
        )


class PortfolioMetrics:
    """Tells the metrics of a tenant's portfolio.

    What it costs does not depend on how many clients there are: sums are kept where assessments are stored. Of few
    clients all are assessed first if they have to be, so that what was sent is counted; of many, workers do it.
    """

    def __init__(
        self, tallies: Tallies, reassess: Reassess, policies: ManagePolicies, clock: Clock, usual_clients: int
    ) -> None:
        """Read tallies, and show so many clients where nobody says how many."""
        self._tallies = tallies
        self._reassess = reassess
        self._policies = policies
        self._clock = clock
        self._usual_clients = usual_clients

    def clients_shown(self, wanted: int | None) -> int:
        """How many clients to show one by one; where nobody says so, as many as usual."""
        return self._usual_clients if wanted is None else wanted

    async def version(self, tenant_id: str) -> Version:
        """What they would be made from now; it is found without making them."""
        policy, activation = await self._policies.in_force(tenant_id)
        await self._reassess.freshen_few(tenant_id, policy)
        state = await self._tallies.state(tenant_id, MOST_STALE)
        return Version(state, policy.version, activation, self._today())

    async def shown(self, tenant_id: str, clients: int, *, names: bool = False) -> tuple[Shown, Version]:
        """The metrics, and what they were made from.

        Args:
            tenant_id: whose.
            clients: how many to show one by one.
            names: whether with their names.
        """
        policy, activation = await self._policies.in_force(tenant_id)
        await self._reassess.freshen_few(tenant_id, policy)
        today = self._today()
        found = await self._tallies.read(tenant_id, MOST_STALE, _since(today, max(WINDOWS)), clients)
        return _shown(found, policy, today, names=names), Version(found.state, policy.version, activation, today)

    async def fold(self) -> bool:
        """Put changes of some tenant together that are too old to be told by days; whether there were any."""
        return await self._tallies.fold(_since(self._today(), _KEPT_DAYS))

    def _today(self) -> date:
        return self._clock.now().astimezone(UTC).date()


def _since(today: date, days: int) -> date:
    return today - timedelta(days=days - 1)


def _shown(found: Tallied, policy: Policy, today: date, *, names: bool) -> Shown:
    sums = found.sums
    groups = {(verdict, kind): 0 for verdict in Verdict for kind in CLIENT_TYPES}
    for (term, label), amount in sums.items():
        if term == Term.CLIENTS:
            verdict, _, kind = label.partition(":")
            groups[Verdict(verdict), kind] = int(amount)
    currencies = {policy.currency, *policy.exchange_rates}
    return Shown(
        groups=groups,
        score_sum=_number(sums, Term.SCORE),
        change_sum=_number(sums, Term.CHANGE),
        steps=[Step(end, int(_amount(sums, Term.STEP, str(end)))) for end in SCORE_STEPS],
        strain=[
            SignStrain(sign.name, _number(sums, Term.STRAIN, sign.name), int(_amount(sums, Term.LEADS, sign.name)))
            for sign in SIGNS
        ],
        without_sign=int(_amount(sums, Term.LEADS)),
        money_at_risk=_money(sums, Term.AT_RISK, currencies),
        cost_of_staying=_money(sums, Term.COST, {policy.currency}),
        changes=[_changes(found.changes, days, today) for days in WINDOWS],
        clients=[_client(one, names=names) for one in found.first],
        state=found.state,
        policy_version=policy.version,
    )


def _amount(sums: Sums, term: Term, label: str = "") -> Decimal:
    return sums.get((term, label), Decimal(0))


def _number(sums: Sums, term: Term, label: str = "") -> float:
    return float(_amount(sums, term, label))


def _money(sums: Sums, term: Term, known: Iterable[str] = ()) -> list[Money]:
    """Amounts by currency, in the order of codes; of currencies that are known, also where there is nothing."""
    found = {currency: Decimal("0.00") for currency in known}
    found |= {label: amount for (name, label), amount in sums.items() if name == term}
    return [Money(amount, currency) for currency, amount in sorted(found.items())]


def _changes(found: Iterable[ChangesOfDay], days: int, today: date) -> Changes:
    since = _since(today, days)
    ends: tuple[Verdict | None, ...] = (*Verdict, None)
    counts = {(before, after): 0 for before in ends for after in ends if before is not after}
    for one in found:
        if one.day >= since:
            counts[one.before, one.after] += one.clients
    return Changes(days, since, [Moves(*ends_of, clients) for ends_of, clients in counts.items()])


def _client(found: TalliedClient, *, names: bool) -> ClientMetrics:
    tally: Tally = found.tally
    verdict, client_type = kind_of(tally)
    leading = next((label for term, label in tally if term == Term.LEADS), "")
    return ClientMetrics(
        client_id=found.client_id,
        name=found.name if names else None,
        score=_number(tally, Term.SCORE),
        change=_number(tally, Term.CHANGE),
        verdict=verdict,
        client_type=client_type,
        leading_sign=leading or None,
        strain={sign.name: _number(tally, Term.STRAIN, sign.name) for sign in SIGNS},
        money_at_risk=_money(tally, Term.AT_RISK),
        cost_of_staying=_money(tally, Term.COST),
    )
