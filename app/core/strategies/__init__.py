"""How to deal with each type of client. A new type is one file beside these and one entry here."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from app.core.strategies.bargain_hunter import BARGAIN_HUNTER
from app.core.strategies.contract_dodger import CONTRACT_DODGER
from app.core.strategies.farewell import farewell
from app.core.strategies.firefighter import FIREFIGHTER
from app.core.strategies.non_payer import NON_PAYER
from app.core.strategies.reliable_partner import RELIABLE_PARTNER
from app.core.strategies.scope_stretcher import SCOPE_STRETCHER
from app.core.strategies.slow_payer import SLOW_PAYER
from app.core.strategies.strategy import Approach, Case, Draft, Strategy
from app.core.strategies.unknown import UNKNOWN

__all__ = ["APPROACHES", "Approach", "Case", "Draft", "Strategy", "strategy_for"]

APPROACHES: Final[Mapping[str, Approach]] = MappingProxyType(
    {
        one.client_type: one
        for one in (
            CONTRACT_DODGER,
            SCOPE_STRETCHER,
            FIREFIGHTER,
            BARGAIN_HUNTER,
            SLOW_PAYER,
            NON_PAYER,
            RELIABLE_PARTNER,
            UNKNOWN,
        )
    }
)


def strategy_for(client_type: str, case: Case) -> Strategy:
    """How to deal with a client of a type; once the relationship has ended, letters only say goodbye."""
    found = APPROACHES[client_type].towards(case)
    return found if case.facts.ending is None else replace(found, drafts=(farewell(case),))
