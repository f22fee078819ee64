"""Which strategy a client gets: by its type, but never against the verdict."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.core.assessment import Assessment
from app.core.policy import DealBreaker
from app.core.verdict import Verdict

__all__ = ["chosen_for"]

_BY_DEAL_BREAKER: Final[Mapping[DealBreaker, str]] = MappingProxyType(
    {
        "contract_refused": "contract_dodger",
        "payment_charged_back": "non_payer",
        "debt_written_off": "non_payer",
        "long_unpaid": "non_payer",
    }
)


def chosen_for(found: Assessment) -> str:
    """The client type whose strategy fits.

    A client may most likely be a reliable partner and still give reason to talk, or to part: whom the verdict worries
    about is not thanked. So where it is worse than `keep` the likeliest type counts that a worrying sign makes, and
    where a deal-breaker holds the one that it is about. Where nothing but the prior worries, no type is blamed.
    """
    likely = found.client_type.probabilities
    broken = {_BY_DEAL_BREAKER[one.name] for one in found.deal_breakers}
    if broken:
        return max(sorted(broken), key=lambda name: likely[name])
    if found.verdict is Verdict.KEEP:
        return found.client_type.name
    worrying = [part.sign.client_type for part in found.signs if part.decibans > 0]
    return max(worrying, key=lambda name: likely[name], default="unknown")
