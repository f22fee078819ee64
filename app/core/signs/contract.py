"""Sign 1: will not sign a contract, even after being told that it is needed."""

from app.core.decibans import DECIBANS_PER_NAT, fading, saturating_share
from app.core.events import EventRef
from app.core.facts import Contract, Facts, Mark
from app.core.message import N_
from app.core.policy import ContractPolicy, Policy
from app.core.portfolio import Portfolio
from app.core.signs.sign import Figure, Sign, Weighed, bounded, heaviest, weight_after_telling

__all__ = ["CONTRACT"]


def _weigh(facts: Facts, policy: Policy, portfolio: Portfolio) -> Weighed:
    """Silence as the ratio of two exponential survival curves, refusals as likelihood ratios of their own."""
    del portfolio  # a contract is nobody else's matter
    if not facts.contracts:
        return Weighed(0.0, "no_contract_asked_for")
    unsigned = [contract for contract in facts.contracts if contract.signed is None]
    if not unsigned:
        return _signed(facts, policy)
    settings = policy.contract
    oldest = min(unsigned, key=lambda contract: (_open_since(contract).at, contract.id))
    since = _open_since(oldest)
    touched = max((contract.touched for contract in unsigned), key=lambda mark: mark.at)
    days = facts.age(since)
    asked = policy.calendar.day_of(since.at)
    hours = sum(effort.hours for effort in facts.work.efforts if effort.day >= asked)
    pull, refusals, explained = _refusals(facts, policy)
    total = _silence(settings, days, hours) * _going_on(facts, policy, touched) + sum(weight for weight, _ in pull)
    told = sum(weight_after_telling(facts, "contract", mark, policy) > 1 for mark in refusals)
    decibans, spread = bounded(total, 0.0, settings.caps, told)
    return Weighed(
        decibans=decibans,
        spread=spread,
        reason=_reason(len(refusals), explained, hours),
        occasions=len(refusals) + saturating_share(days, settings.days_to_sign) + (1 if hours else 0),
        figures={
            "days_unsigned": Figure(round(days, 2), "days"),
            "hours_without_contract": Figure(round(hours, 2), "hours"),
            "refusals": Figure(len(refusals), "count"),
            "refusals_after_explanation": Figure(explained, "count"),
        },
        held_against={"days_to_sign": Figure(settings.days_to_sign, "days")},
        events=heaviest([*pull, (_silence(settings, days, hours), since.ref)]),
    )


def _open_since(contract: Contract) -> Mark:
    return contract.ended or contract.asked


def _silence(settings: ContractPolicy, days: float, hours: float) -> float:
    """How much likelier so long a silence is from a client who means to avoid it; bounded, more with work at risk."""
    waited = DECIBANS_PER_NAT * max(days, 0.0) * (1 / settings.days_to_sign - 1 / settings.days_to_sign_dodger)
    cap = settings.silence_cap + settings.exposure_cap * saturating_share(hours, settings.exposure_hours)
    return cap * saturating_share(waited, cap)


def _going_on(facts: Facts, policy: Policy, touched: Mark) -> float:
    """1 while work goes on, which keeps the matter open; fading once it has rested."""
    last = max((effort.mark.at for effort in facts.work.efforts), default=touched.at)
    idle = (facts.as_of - max(last, touched.at)).total_seconds() / 86_400.0
    return fading(idle - policy.contract.quiet_days, policy.half_life_days)


def _refusals(facts: Facts, policy: Policy) -> tuple[list[tuple[float, EventRef]], list[Mark], int]:
    pull: list[tuple[float, EventRef]] = []
    refusals: list[Mark] = []
    explained = 0
    for contract in facts.contracts:
        settled = contract.signed is not None
        for mark in contract.declined:
            after = any(told.at < mark.at for told in contract.explained)
            weight = policy.contract.refusal_explained if after else policy.contract.refusal
            weight *= 1.0 if settled else weight_after_telling(facts, "contract", mark, policy)
            open_matter = (
                0.25 * fading(facts.age(mark), policy.half_life_days) if settled else _kept(facts, policy, mark)
            )
            pull.append((weight * open_matter, mark.ref))
            refusals.append(mark)
            explained += after
    return pull, refusals, explained


def _kept(facts: Facts, policy: Policy, mark: Mark) -> float:
    """A refusal does not fade while work goes on without a signature."""
    return max(_going_on(facts, policy, mark), fading(facts.age(mark), policy.half_life_days))


def _signed(facts: Facts, policy: Policy) -> Weighed:
    signatures = [contract.signed for contract in facts.contracts if contract.signed is not None]
    newest = max(signatures, key=lambda mark: (mark.at, mark.ref))
    pull, refusals, explained = _refusals(facts, policy)
    total = sum(weight for weight, _ in pull) - policy.contract.caps.reassurance * 2
    decibans, spread = bounded(total, 0.0, policy.contract.caps, 0.0)
    return Weighed(
        decibans=decibans,
        spread=spread,
        reason="signed",
        occasions=len(signatures) + len(refusals),
        figures={
            "days_unsigned": Figure(0.0, "days"),
            "hours_without_contract": Figure(0.0, "hours"),
            "refusals": Figure(len(refusals), "count"),
            "refusals_after_explanation": Figure(explained, "count"),
        },
        held_against={"days_to_sign": Figure(policy.contract.days_to_sign, "days")},
        events=(newest.ref, *heaviest(pull))[:5],
    )


def _reason(refusals: int, explained: int, hours: float) -> str:
    if explained:
        return "refused_after_explanation"
    if refusals:
        return "refused"
    return "working_unsigned" if hours else "not_signed_yet"


CONTRACT = Sign(
    name="contract",
    title=N_("Will not sign a contract"),
    client_type="contract_dodger",
    weigh=_weigh,
    sentences={
        "no_contract_asked_for": N_("No contract has been asked for, so there is nothing to weigh."),
        "signed": N_("The contract is signed."),
        "not_signed_yet": N_("The contract has been waiting for a signature for {days_unsigned:day}."),
        "working_unsigned": N_(
            "Work goes on without a signature: {hours_without_contract:hour} in {days_unsigned:day}."
        ),
        "refused": N_(
            "The client has refused to sign (refusals: {refusals:count}); work without a contract: "
            "{hours_without_contract:hour}."
        ),
        "refused_after_explanation": N_(
            "The client was told why a contract is needed and still refused (refusals in all: {refusals:count}); "
            "work without a contract: {hours_without_contract:hour}."
        ),
    },
)
