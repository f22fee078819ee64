"""The six signs. A new one is one file beside these and one entry in `SIGNS`."""

from typing import Final

from app.core.signs.contract import CONTRACT
from app.core.signs.late import LATE
from app.core.signs.nonpayment import NONPAYMENT
from app.core.signs.rate import RATE
from app.core.signs.scope import SCOPE
from app.core.signs.sign import Figure, Reason, Sign, Weight
from app.core.signs.time import TIME

__all__ = ["SIGNS", "Figure", "Reason", "Sign", "Weight"]

SIGNS: Final[tuple[Sign, ...]] = (CONTRACT, SCOPE, TIME, RATE, LATE, NONPAYMENT)
"""In the order of the mission."""
