"""Sign 4: pays less than the other clients, and refuses every talk about it."""

from dataclasses import dataclass
from math import exp, log, sqrt

from app.core.decibans import DECIBANS_PER_NAT, saturating_share
from app.core.earnings import Earnings, earnings_of
from app.core.events import EventRef
from app.core.facts import Facts, measured_once
from app.core.message import N_
from app.core.policy import Policy
from app.core.portfolio import Portfolio
from app.core.signs.sign import Figure, Reason, Sign, Weight, bounded, heaviest

__all__ = ["RATE"]


@dataclass(frozen=True, slots=True)
class _Gap:
    """How far the client's rate lies below the reference.

    Attributes:
        earnings: what the client's work brought.
        log_ratio: natural log of the rate over the reference, or None where one of them is unknown.
        decibans: what that says, not yet bounded.
        spread: its standard deviation.
    """

    earnings: Earnings
    reference: float | None
    log_ratio: float | None
    decibans: float
    spread: float


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weight:
    """The ratio of two normal densities of the log rate, and each talk refused or accepted."""
    gap, talks = _gap(facts, policy, portfolio), facts.talks
    spoken = talks.refusals + talks.agreements
    if gap.log_ratio is None and not spoken:
        return Weight()
    total = gap.decibans + talks.refused - talks.agreed
    decibans, spread = bounded(total, gap.spread, policy.rate.caps, talks.after_telling)
    return Weight(decibans, spread, spoken + gap.earnings.hours / max(policy.rate.settling_hours, 1.0))


def _reason(facts: Facts, policy: Policy, portfolio: Portfolio) -> Reason:
    gap, talks = _gap(facts, policy, portfolio), facts.talks
    earnings, refused = gap.earnings, talks.refusals
    if gap.log_ratio is None and not (refused + talks.agreements):
        return Reason("nothing_to_compare" if earnings.money is not None else "no_exchange_rate")
    figures = {
        "refused_talks": Figure(refused, "count"),
        "hours": Figure(round(earnings.hours, 2), "hours"),
        "unpaid_hours": Figure(round(facts.work.hours.due.unpaid, 2), "hours"),
    }
    held_against: dict[str, Figure] = {}
    per_hour = f"{policy.currency}/hour"
    if gap.log_ratio is not None and gap.reference is not None:
        figures["effective_rate"] = Figure(round(gap.reference * exp(gap.log_ratio), 2), per_hour)
        figures["rate_share"] = Figure(round(exp(gap.log_ratio), 4), "ratio")
        held_against["effective_rate"] = Figure(round(gap.reference, 2), per_hour)
    worries = gap.decibans + talks.refused - talks.agreed > 0
    return Reason(_code(gap, refused), figures, held_against, _events(facts, worries))


@measured_once
def _gap(facts: Facts, policy: Policy, portfolio: Portfolio) -> _Gap:
    settings, earnings = policy.rate, earnings_of(facts, policy)
    distance = -log(settings.bargain_share)
    references = []
    if portfolio.rates is not None and portfolio.rates.clients >= settings.fewest_clients:
        references.append(portfolio.rates.median)
    if settings.floor is not None:
        # At the floor itself the evidence is to be nil: half the distance lies below the reference.
        references.append(float(settings.floor) * exp(distance / 2))
    if not references or earnings.money is None or earnings.log_rate is None:
        return _Gap(earnings, None, None, 0.0, 0.0)
    reference = max(references)
    spread = max(settings.least_spread, portfolio.rates.spread if portfolio.rates else 0.0)
    ratio = earnings.log_rate - log(reference)
    slope = distance / spread**2
    nats = -slope * (ratio + distance / 2)
    known = saturating_share(earnings.hours, settings.settling_hours)
    noise = slope * spread / sqrt(1.0 + earnings.hours / settings.settling_hours) / 2
    if nats > 0:
        return _Gap(earnings, reference, ratio, DECIBANS_PER_NAT * nats * known, DECIBANS_PER_NAT * noise * known)
    # Reassurance rests on the money that came, so that an unpaid hour more can never reassure.
    known = saturating_share(earnings.money / reference, settings.settling_hours)
    return _Gap(earnings, reference, ratio, DECIBANS_PER_NAT * nats * known, DECIBANS_PER_NAT * noise * known)


def _events(facts: Facts, worries: bool) -> tuple[EventRef, ...]:
    """The talks that say it, then unpaid hours where the rate is low, then the newest invoices."""
    billed = ((weight * 1e-6, ref) for weight, ref in facts.billed.newest)
    if not worries:
        return heaviest([*facts.talks.agreed_by, *billed])
    unpaid = ((hours * 1e-3, ref) for hours, ref in facts.work.unpaid_efforts)
    return heaviest([*facts.talks.refused_by, *unpaid, *billed])


def _code(gap: _Gap, refused: int) -> str:
    low = gap.log_ratio is not None and gap.decibans > 0
    if low:
        return "low_and_refused" if refused else "low"
    if refused:
        return "refused"
    return "fair"


RATE = Sign(
    name="rate",
    title=N_("Pays less than your other clients"),
    client_type="bargain_hunter",
    weigh=_weigh,
    reason=_reason,
    sentences={
        "nothing_to_compare": N_(
            "There are no billed hours to compare with other clients, so there is nothing to weigh."
        ),
        "no_exchange_rate": N_(
            "Some invoices are in a currency without an exchange rate, so what an hour brings is not known."
        ),
        "fair": N_("The client pays what your other clients pay, or agreed to talk about the rate."),
        "low": N_("An hour for this client brings {rate_share:percent} of what it brings with your other clients."),
        "refused": N_("The client refuses to talk about the rate (talks refused: {refused_talks:count})."),
        "low_and_refused": N_(
            "An hour for this client brings {rate_share:percent} of what it brings with your other clients, and "
            "talks about the rate are refused (talks refused: {refused_talks:count})."
        ),
    },
)
