"""The policy: a tenant's versioned settings of the scoring model, with documented defaults.

docs/scoring.md derives the defaults. Evidence and caps are in decibans, ages and half-lives in days.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from app.core.decibans import Beta
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

    untold: float
    told: float
    reassurance: float = 0.6

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
    days_to_sign: float = 7
    days_to_sign_dodger: float = 60
    silence_cap: float = 4
    exposure_cap: float = 6
    exposure_hours: float = 20
    refusal: float = 4.5
    refusal_explained: float = 8
    quiet_days: float = 30


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
    ordinary_overrun: float = 0.08
    creeping_overrun: float = 0.40
    settling_hours: float = 20
    priors: HabitPriors = HabitPriors(ordinary=Beta(1, 4), habit=Beta(3, 2))
    recent_half_life: float = 30


@dataclass(frozen=True, slots=True)
class TimePolicy:
    """How contact outside working hours, rush jobs and slipped meetings are weighed.

    Attributes:
        priors: the share of contacts that disregard our time.
        minimum_lead_hours: working hours that a request must leave.
        short_notice: a meeting moved with less notice slipped.
        call_out_of_hours, message_out_of_hours, urgent, rush, missed, moved: how much each counts, 0 to 1.
    """

    caps: Caps = Caps(untold=16, told=26)
    priors: HabitPriors = HabitPriors(ordinary=Beta(1, 14), habit=Beta(3, 6))
    minimum_lead_hours: float = 16
    short_notice: timedelta = timedelta(hours=24)
    call_out_of_hours: float = 1.0
    message_out_of_hours: float = 0.5
    urgent: float = 0.75
    rush: float = 1.0
    missed: float = 1.0
    moved: float = 0.75


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
    floor: Decimal | None = None
    bargain_share: float = 0.6
    least_spread: float = 0.25
    settling_hours: float = 20
    billing_lag_days: int = 45
    fewest_clients: int = 3
    refused: float = 4.5
    accepted: float = -4.0


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
    grace_days: int = 0
    priors: HabitPriors = HabitPriors(ordinary=Beta(1, 5), habit=Beta(4, 2))
    least: float = 0.35
    full_days: float = 7


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
    bayes_factor: float = 300
    never_paid: tuple[tuple[int, float], ...] = (
        (0, 0.005),
        (30, 0.04),
        (60, 0.12),
        (90, 0.26),
        (180, 0.48),
        (365, 0.73),
        (730, 0.90),
    )
    prior_invoices: float = 20


@dataclass(frozen=True, slots=True)
class EmpiricalPolicy:
    """How far the tenant's own portfolio decides what is ordinary.

    Attributes:
        fewest_clients: below so many clients with occasions of a habit the policy's priors hold.
        policy_clients: how many clients' worth of experience the policy's priors are.
        most_change: the fitted share is at most so many times the policy's, and at least that part of it.
    """

    fewest_clients: int = 3
    policy_clients: float = 20
    most_change: float = 3


@dataclass(frozen=True, slots=True)
class CostPolicy:
    """How the cost of staying is reckoned.

    Attributes:
        window_days: the last days that are looked at.
        loss_days: money that is probably lost is spread over so many days: losses are rare, and a half year is short.
        interest: what money costs in a year, as a share of it.
        out_of_hours: hours that one contact outside working hours takes.
    """

    window_days: int = 180
    loss_days: int = 365
    interest: float = 0.10
    out_of_hours: float = 0.5


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The scores from which on a verdict is given: a talk costs little, so it is worth it below even odds.

    Attributes:
        watch, renegotiate, part: scores, 0 to 100.
        margin: how far beyond a threshold the score must be to change the verdict at once.
        settling_days: after so many days on the other side it changes without the margin.
    """

    watch: float = 20
    renegotiate: float = 40
    part: float = 80
    margin: float = 3
    settling_days: int = 7

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
    prior_decibans: float = -10.0
    half_life_days: float = 180.0
    told_weight: float = 2.0
    reminder_days: float = 7.0
    model_spread: float = 6.0
    thresholds: Thresholds = Thresholds()
    deal_breakers: frozenset[DealBreaker] = frozenset()
    long_unpaid_days: int = 90
    empirical: EmpiricalPolicy = EmpiricalPolicy()
    cost: CostPolicy = CostPolicy()
    calendar: WorkingCalendar = field(default_factory=WorkingCalendar)
    currency: str = "USD"
    exchange_rates: Mapping[str, Decimal] = field(default_factory=lambda: MappingProxyType({}))
    contract: ContractPolicy = ContractPolicy()
    scope: ScopePolicy = ScopePolicy()
    time: TimePolicy = TimePolicy()
    rate: RatePolicy = RatePolicy()
    late: LatePolicy = LatePolicy()
    nonpayment: NonpaymentPolicy = NonpaymentPolicy()


DEFAULT_POLICY = Policy()
"""What holds for a tenant that has set nothing."""
