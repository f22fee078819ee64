"""Words for people: what verdicts, client types, kinds of change and deal-breakers are called."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from app.core.message import N_
from app.core.net_change import NetKind
from app.core.policy import DealBreaker
from app.core.verdict import Verdict

__all__ = ["CLIENT_TYPES", "COUNTED", "DEAL_BREAKERS", "VERDICTS"]

VERDICTS: Final[Mapping[Verdict, str]] = MappingProxyType(
    {
        Verdict.KEEP: N_("keep"),
        Verdict.WATCH: N_("watch"),
        Verdict.RENEGOTIATE: N_("renegotiate"),
        Verdict.PART: N_("part"),
    }
)

CLIENT_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "contract_dodger": N_("avoids the contract"),
        "scope_stretcher": N_("stretches the scope"),
        "firefighter": N_("always in a hurry"),
        "bargain_hunter": N_("presses the rate"),
        "slow_payer": N_("pays late"),
        "non_payer": N_("does not pay"),
        "reliable_partner": N_("reliable partner"),
        "unknown": N_("not known yet"),
    }
)

DEAL_BREAKERS: Final[Mapping[DealBreaker, str]] = MappingProxyType(
    {
        "contract_refused": N_("The contract was refused after you explained why you need it: that alone is a reason."),
        "payment_charged_back": N_("A payment was taken back: that alone is a reason."),
        "debt_written_off": N_("A debt had to be written off: that alone is a reason."),
        "long_unpaid": N_("An invoice stays unpaid for long, reminders notwithstanding: that alone is a reason."),
    }
)

COUNTED: Final[Mapping[NetKind, str]] = MappingProxyType(
    {
        NetKind.WORSE: N_("{clients:count} worse"),
        NetKind.BETTER: N_("{clients:count} better"),
        NetKind.NEW: N_("{clients:count} new"),
    }
)
"""How many clients, for a subject line."""
