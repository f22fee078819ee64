"""Sign 1: will not sign a contract, even after being told that it is needed."""

from datetime import date
from typing import NamedTuple

from app.core.decibans import DECIBANS_PER_NAT, fading, saturating_share
from app.core.events import EventRef, Mark
from app.core.facts import Facts, measured_once
from app.core.message import N_, Message
from app.core.policy import ContractPolicy, Policy
from app.core.portfolio import Portfolio
from app.core.signs.sign import MOST_EVENTS, Figure, Reason, Sign, Weight, bounded, heaviest, weight_after_telling

__all__ = ["CONTRACT"]


class _Silence(NamedTuple):
    """What is not signed: since when it is waited for, for how many days, and the hours worked since."""

    since: Mark
    touched: Mark
    days: int
    hours: float


class _Refusals(NamedTuple):
    """Each refusal with its weight, and how many came after the need was explained."""

    pull: list[tuple[float, EventRef]]
    marks: list[Mark]
    explained: int


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weight:
    """Silence as the ratio of two exponential survival curves, refusals as likelihood ratios of their own."""
    del portfolio  # a contract is nobody else's matter
    if not facts.contracts:
        return Weight()
    settings = policy.contract
    silence = _silence(facts)
    pull, refusals, _ = _refusals(facts, policy)
    refused = sum(weight for weight, _ in pull)
    if silence is None:
        signatures = sum(contract.signed is not None for contract in facts.contracts)
        decibans, spread = bounded(refused - settings.caps.reassurance * 2, 0.0, settings.caps, 0.0)
        return Weight(decibans, spread, signatures + len(refusals))
    total = _of_silence(settings, silence) * _going_on(facts, policy, silence.touched) + refused
    told = sum(weight_after_telling(facts, "contract", mark, policy) > 1 for mark in refusals)
    decibans, spread = bounded(total, 0.0, settings.caps, told)
    waited = saturating_share(silence.days, settings.days_to_sign) + (1 if silence.hours else 0)
    return Weight(decibans, spread, len(refusals) + waited)


def _reason(facts: Facts, policy: Policy, portfolio: Portfolio) -> Reason:
    del portfolio
    if not facts.contracts:
        return Reason("no_contract_asked_for")
    silence = _silence(facts)
    pull, refusals, explained = _refusals(facts, policy)
    if silence is None:
        newest = max(contract.signed for contract in facts.contracts if contract.signed is not None)
        events = (newest.ref, *heaviest(pull))[:MOST_EVENTS]
    else:
        events = heaviest([*pull, (_of_silence(policy.contract, silence), silence.since.ref)])
    return Reason(
        code=_code(silence, len(refusals), explained),
        figures={
            "days_unsigned": Figure(silence.days if silence else 0, "days"),
            "hours_without_contract": Figure(round(silence.hours, 2) if silence else 0.0, "hours"),
            "refusals": Figure(len(refusals), "count"),
            "refusals_after_explanation": Figure(explained, "count"),
        },
        held_against={"days_to_sign": Figure(policy.contract.days_to_sign, "days")},
        events=events,
        words=_words(policy, silence),
    )


def _words(policy: Policy, silence: _Silence | None) -> dict[str, date | Message]:
    if silence is None:
        return {}
    hours = Message(N_("work without a contract: {hours:hour}"), {"hours": silence.hours})
    idle = Message(N_("no work was done without a contract"))
    return {"since": policy.calendar.day_of(silence.since.at), "work": hours if silence.hours else idle}


@measured_once
def _silence(facts: Facts) -> _Silence | None:
    """What the oldest contract without a signature waits for; None where all are signed."""
    unsigned = [contract for contract in facts.contracts if contract.signed is None]
    if not unsigned:
        return None
    oldest = min(unsigned, key=lambda contract: (contract.open_since.at, contract.id))
    touched = max((contract.touched for contract in unsigned), key=lambda mark: mark.at)
    return _Silence(oldest.open_since, touched, facts.age(oldest.open_since), oldest.hours)


def _of_silence(settings: ContractPolicy, silence: _Silence) -> float:
    """How much likelier so long a silence is from a client who means to avoid it; bounded, more with work at risk."""
    waited = DECIBANS_PER_NAT * max(silence.days, 0.0) * (1 / settings.days_to_sign - 1 / settings.days_to_sign_dodger)
    cap = settings.silence_cap + settings.exposure_cap * saturating_share(silence.hours, settings.exposure_hours)
    return cap * saturating_share(waited, cap)


def _going_on(facts: Facts, policy: Policy, touched: Mark) -> float:
    """1 while work goes on, which keeps the matter open; fading once it has rested."""
    worked = facts.work.last_at
    last = touched.at if worked is None else max(worked, touched.at)
    idle = facts.days_since(policy.calendar.day_of(last))
    return fading(idle - policy.contract.quiet_days, policy.half_life_days)


@measured_once
def _refusals(facts: Facts, policy: Policy) -> _Refusals:
    pull: list[tuple[float, EventRef]] = []
    refusals: list[Mark] = []
    explained = 0
    for contract in facts.contracts:
        settled = contract.signed is not None
        for mark, after in contract.declined:
            weight = policy.contract.refusal_explained if after else policy.contract.refusal
            weight *= 1.0 if settled else weight_after_telling(facts, "contract", mark, policy)
            open_matter = (
                0.25 * fading(facts.age(mark), policy.half_life_days) if settled else _kept(facts, policy, mark)
            )
            pull.append((weight * open_matter, mark.ref))
            refusals.append(mark)
            explained += after
    return _Refusals(pull, refusals, explained)


def _kept(facts: Facts, policy: Policy, mark: Mark) -> float:
    """A refusal does not fade while work goes on without a signature."""
    return max(_going_on(facts, policy, mark), fading(facts.age(mark), policy.half_life_days))


def _code(silence: _Silence | None, refusals: int, explained: int) -> str:
    if silence is None:
        return "signed"
    if explained:
        return "refused_after_explanation"
    if refusals:
        return "refused"
    return "working_unsigned" if silence.hours else "not_signed_yet"


CONTRACT = Sign(
    name="contract",
    title=N_("Will not sign a contract"),
    client_type="contract_dodger",
    weigh=_weigh,
    reason=_reason,
    sentences={
        "no_contract_asked_for": N_("No contract has been asked for, so there is nothing to weigh."),
        "signed": N_("The contract is signed."),
        "not_signed_yet": N_("The contract has been waiting for a signature since {since}."),
        "working_unsigned": N_("Work goes on without a signature: {hours_without_contract:hour} since {since}."),
        "refused": N_("The client has refused to sign (refusals: {refusals:count}); {work}."),
        "refused_after_explanation": N_(
            "The client was told why a contract is needed and still refused (refusals in all: {refusals:count}); "
            "{work}."
        ),
    },
)
