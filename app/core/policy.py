"""The policy: a tenant's versioned settings of the scoring model, with documented defaults.

docs/scoring.md derives the defaults. Evidence and caps are in decibans, ages and half-lives in days.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, Final, Literal

from annotated_types import Ge, Gt, Le, Lt

from app.core.decibans import Beta
from app.core.money import CURRENCIES
from app.core.setting_error import SettingError
from app.core.working_calendar import WorkingCalendar

__all__ = [
    "DEFAULT_POLICY",
    "Caps",
    "ContractPolicy",
    "CostPolicy",
    "DealBreaker",
    "EmpiricalPolicy",
    "HabitPriors",
    "LatePolicy",
    "NonpaymentPolicy",
    "Policy",
    "RatePolicy",
    "ScopePolicy",
    "Thresholds",
    "TimePolicy",
]


Evidence = Annotated[float, Ge(0), Le(60)]
"""Decibans: sixty are odds of a million to one."""
Days = Annotated[float, Ge(0), Le(3650)]
Hours = Annotated[float, Ge(0), Le(1000)]
Settling = Annotated[float, Ge(0.1), Le(10_000)]
"""An amount at which something counts to 63 %."""
Part = Annotated[float, Ge(0), Le(1)]
Mean = Annotated[float, Ge(0.01), Le(10)]
Times = Annotated[float, Ge(1), Le(10)]
Probability = Annotated[float, Ge(0.000_001), Le(0.999_999)]
Amount = Annotated[Decimal, Ge(Decimal("0.000000001")), Le(1_000_000_000)]

_FEWEST_POINTS: Final = 2

DealBreaker = Literal["contract_refused", "payment_charged_back", "debt_written_off", "long_unpaid"]
"""Facts that can be named as reason enough to part; see `deal_breakers.py`."""


@dataclass(frozen=True, slots=True)
class Caps:
    """The most that one sign can say, in decibans.

    Attributes:
        untold: the worst it can say before the client was told what has to change.
        told: the worst it can say when things go on after that.
        reassurance: the best it can say: little, or five good signs would outweigh a bad one at its worst.
    """

    untold: Evidence
    told: Evidence
    reassurance: Evidence = 0.6

    def __post_init__(self) -> None:
        if not 0 < self.untold <= self.told or self.reassurance < 0:
            raise ValueError("caps must satisfy 0 < untold <= told and reassurance >= 0")


@dataclass(frozen=True, slots=True)
class HabitPriors:
    """What share of occasions goes wrong: with ordinary clients, and with those who have the habit.

    Raises:
        ValueError: when one more bad occasion could reassure; see `decibans.beta_bayes_factor`.
    """

    ordinary: Beta
    habit: Beta

    def __post_init__(self) -> None:
        if self.habit.a < self.ordinary.a or self.habit.b > self.ordinary.b:
            raise ValueError("a habit must have a at least, and b at most, that of ordinary clients")


@dataclass(frozen=True, slots=True)
class ContractPolicy:
    """How work without a signed contract is weighed.

    Attributes:
        days_to_sign: the mean time that an ordinary client takes to sign.
        days_to_sign_dodger: the mean time that one takes who means to avoid it.
        silence_cap: the most that silence alone can say, before any work is done.
        exposure_cap: what it can say more, with work going on.
        exposure_hours: hours of work at which that is said to 63 %.
        refusal: what a refusal says.
        refusal_explained: what a refusal says after the need was explained.
        quiet_days: work is going on while the last was at most this long ago.
    """

    caps: Caps = Caps(untold=26, told=28)
    days_to_sign: Annotated[float, Ge(0.1), Le(365)] = 7
    days_to_sign_dodger: Annotated[float, Ge(0.1), Le(3650)] = 60
    silence_cap: Annotated[float, Ge(0.1), Le(60)] = 4
    exposure_cap: Evidence = 6
    exposure_hours: Settling = 20
    refusal: Evidence = 4.5
    refusal_explained: Evidence = 8
    quiet_days: Days = 30

    def __post_init__(self) -> None:
        if self.days_to_sign >= self.days_to_sign_dodger:
            raise ValueError("days_to_sign must be less than days_to_sign_dodger")


@dataclass(frozen=True, slots=True)
class ScopePolicy:
    """How unpaid effort beyond the agreement is weighed.

    Attributes:
        ordinary_overrun: the mean share of unpaid hours beyond the agreed ones with ordinary clients.
        creeping_overrun: that with clients who stretch the scope.
        settling_hours: how many hours it takes until the overrun is trusted.
        priors: the share of requests beyond the agreement that nobody pays for.
        recent_half_life: what is weighed on its own, to notice that it accelerates.
    """

    caps: Caps = Caps(untold=16, told=26)
    ordinary_overrun: Mean = 0.08
    creeping_overrun: Mean = 0.40
    settling_hours: Settling = 20
    priors: HabitPriors = HabitPriors(ordinary=Beta(1, 4), habit=Beta(3, 2))
    recent_half_life: Annotated[float, Ge(1), Le(3650)] = 30

    def __post_init__(self) -> None:
        if self.ordinary_overrun >= self.creeping_overrun:
            raise ValueError("ordinary_overrun must be less than creeping_overrun")


@dataclass(frozen=True, slots=True)
class TimePolicy:
    """How contact outside working hours, rush jobs and slipped meetings are weighed.

    Attributes:
        priors: the share of contacts that disregard our time.
        minimum_lead_hours: working hours that a request must leave.
        short_notice_hours: a meeting moved with less notice slipped.
        call_out_of_hours, message_out_of_hours, urgent, rush, missed, moved: how much each counts, 0 to 1.
    """

    caps: Caps = Caps(untold=16, told=26)
    priors: HabitPriors = HabitPriors(ordinary=Beta(1, 14), habit=Beta(3, 6))
    minimum_lead_hours: Hours = 16
    short_notice_hours: Hours = 24
    call_out_of_hours: Part = 1.0
    message_out_of_hours: Part = 0.5
    urgent: Part = 0.75
    rush: Part = 1.0
    missed: Part = 1.0
    moved: Part = 0.75


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """How a low effective rate is weighed.

    Attributes:
        floor: the least money an hour that the tenant wants, in its currency; None for no floor.
        bargain_share: what a bargain hunter pays of the ordinary rate.
        least_spread: the least standard deviation of ordinary rates, in natural logs.
        settling_hours: hours after which the rate is trusted to 63 %.
        billing_lag_days: hours younger than this may still be billed and are not counted.
        fewest_clients: below so many other clients with a known rate there is none to compare with.
        refused, accepted: what each talk about the rate says.
    """

    caps: Caps = Caps(untold=16, told=26)
    floor: Amount | None = None
    bargain_share: Annotated[float, Ge(0.05), Le(0.95)] = 0.6
    least_spread: Annotated[float, Ge(0.05), Le(5)] = 0.25
    settling_hours: Settling = 20
    billing_lag_days: Annotated[int, Ge(0), Le(3650)] = 45
    fewest_clients: Annotated[int, Ge(1), Le(1000)] = 3
    refused: Evidence = 4.5
    accepted: Annotated[float, Ge(-60), Le(0)] = -4.0


@dataclass(frozen=True, slots=True)
class LatePolicy:
    """How late payment is weighed.

    Attributes:
        grace_days: days beyond terms that count as in time.
        priors: the share of invoices that are paid late.
        least: how much an invoice that is one moment late counts, of 1.
        full_days: days beyond terms at which 63 % of the rest are added.
    """

    caps: Caps = Caps(untold=16, told=26)
    grace_days: Annotated[int, Ge(0), Le(365)] = 0
    priors: HabitPriors = HabitPriors(ordinary=Beta(1, 5), habit=Beta(4, 2))
    least: Part = 0.35
    full_days: Settling = 7


@dataclass(frozen=True, slots=True)
class NonpaymentPolicy:
    """How money that may never come is weighed.

    Attributes:
        bayes_factor: how much likelier an unpaid debt is from a client to part with.
        never_paid: by days overdue, the probability that an invoice is never paid; used as `prior_invoices` invoices'
            worth of experience beside the tenant's own.
        prior_invoices: see there.
    """

    caps: Caps = Caps(untold=25, told=28, reassurance=0)
    bayes_factor: Annotated[float, Gt(1), Le(1_000_000)] = 300
    never_paid: tuple[tuple[Annotated[int, Ge(0), Le(36_500)], Probability], ...] = (
        (0, 0.005),
        (30, 0.04),
        (60, 0.12),
        (90, 0.26),
        (180, 0.48),
        (365, 0.73),
        (730, 0.90),
    )
    prior_invoices: Annotated[float, Ge(0.1), Le(10_000)] = 20

    def __post_init__(self) -> None:
        points = self.never_paid
        rising = all(d0 < d1 and p0 <= p1 for (d0, p0), (d1, p1) in pairwise(points))
        if len(points) < _FEWEST_POINTS or points[0][0] != 0 or not rising:
            raise ValueError("never_paid needs two points at least, from day 0 on, with days and probabilities rising")


@dataclass(frozen=True, slots=True)
class EmpiricalPolicy:
    """How far the tenant's own portfolio decides what is ordinary.

    Attributes:
        fewest_clients: below so many clients with occasions of a habit the policy's priors hold.
        policy_clients: how many clients' worth of experience the policy's priors are.
        most_change: the fitted share is at most so many times the policy's, and at least that part of it.
    """

    fewest_clients: Annotated[int, Ge(1), Le(1000)] = 3
    policy_clients: Annotated[float, Ge(0.1), Le(10_000)] = 20
    most_change: Times = 3


@dataclass(frozen=True, slots=True)
class CostPolicy:
    """How the cost of staying is reckoned.

    Attributes:
        window_days: the last days that are looked at.
        loss_days: money that is probably lost is spread over so many days: losses are rare, and a half year is short.
        interest: what money costs in a year, as a share of it.
        out_of_hours: hours that one contact outside working hours takes.
    """

    window_days: Annotated[int, Ge(30), Le(3650)] = 180
    loss_days: Annotated[int, Ge(30), Le(3650)] = 365
    interest: Part = 0.10
    out_of_hours: Hours = 0.5


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The scores from which on a verdict is given: a talk costs little, so it is worth it below even odds.

    Attributes:
        watch, renegotiate, part: scores, 0 to 100.
        margin: how far beyond a threshold the score must be to change the verdict at once.
        settling_days: after so many days on the other side it changes without the margin.
    """

    watch: Annotated[float, Gt(0), Lt(100)] = 20
    renegotiate: Annotated[float, Gt(0), Lt(100)] = 40
    part: Annotated[float, Gt(0), Lt(100)] = 80
    margin: Annotated[float, Ge(0), Lt(100)] = 3
    settling_days: Annotated[int, Ge(0), Le(60)] = 7

    def __post_init__(self) -> None:
        if not 0 < self.watch < self.renegotiate < self.part < 100:
            raise ValueError("thresholds must satisfy 0 < watch < renegotiate < part < 100")
        if not 0 <= self.margin < min(self.watch, self.renegotiate - self.watch, 100 - self.part):
            raise ValueError("the margin must be less than the thresholds are apart, and 0 at least")


@dataclass(frozen=True, slots=True)
class Policy:
    """All settings of one version.

    Attributes:
        version: the version's name, which every assessment repeats.
        prior_decibans: what is believed of a client of whom nothing is known.
        half_life_days: after so many days a past event counts half.
        told_weight: how many times more an event counts after the client was told what has to change.
        reminder_days: a reminder counts as ignored after so many days without payment.
        deal_breakers: what is reason enough to part, whatever the score says.
        long_unpaid_days: an invoice of which the client was reminded is `long_unpaid` so many days after its due day.
        model_spread: the standard deviation, in decibans, of what one lone event may be mistaken by.
        currency: ISO 4217 code in which money is added up.
        exchange_rates: how many units of `currency` one unit of a foreign currency is worth.
    """

    version: str = "default-1"
    prior_decibans: Annotated[float, Ge(-40), Le(20)] = -10.0
    half_life_days: Annotated[float, Ge(7), Le(36_500)] = 180.0
    told_weight: Times = 2.0
    reminder_days: Days = 7.0
    model_spread: Annotated[float, Ge(0), Le(30)] = 6.0
    thresholds: Thresholds = Thresholds()
    deal_breakers: frozenset[DealBreaker] = frozenset()
    long_unpaid_days: Annotated[int, Ge(0), Le(3650)] = 90
    empirical: EmpiricalPolicy = EmpiricalPolicy()
    cost: CostPolicy = CostPolicy()
    calendar: WorkingCalendar = field(default_factory=WorkingCalendar)
    currency: str = "USD"
    exchange_rates: Mapping[str, Amount] = field(default_factory=lambda: MappingProxyType({}))
    contract: ContractPolicy = ContractPolicy()
    scope: ScopePolicy = ScopePolicy()
    time: TimePolicy = TimePolicy()
    rate: RatePolicy = RatePolicy()
    late: LatePolicy = LatePolicy()
    nonpayment: NonpaymentPolicy = NonpaymentPolicy()

    def __post_init__(self) -> None:
        if self.currency not in CURRENCIES:
            raise SettingError("expected an active ISO 4217 currency code, such as EUR", "currency")
        for foreign in sorted(self.exchange_rates):
            if foreign not in CURRENCIES:
                detail = "expected an active ISO 4217 currency code, such as EUR"
                raise SettingError(detail, "exchange_rates", foreign)
            if foreign == self.currency:
                raise SettingError("is the currency itself and needs no rate", "exchange_rates", foreign)


DEFAULT_POLICY = Policy()
"""What holds for a tenant that has set nothing."""
