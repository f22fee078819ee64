"""Who asks: looks at keys and tokens, and refusals of those who ask too much."""

from app.metrics.catalogue import AUTHENTICATIONS, RATE_LIMITED
from app.metrics.meters import Meters
from app.ports.rates import Unit
from app.use_cases.authenticate import Attempt

__all__ = ["AskingMetrics"]


class AskingMetrics:
    """Counts; keeps the promises of `app.use_cases.authenticate.Attempts` and of `app.use_cases.rates.Refusals`."""

    def __init__(self, meters: Meters) -> None:
        """Count in these."""
        self._attempts = meters.counters(AUTHENTICATIONS)
        self._limited = meters.counters(RATE_LIMITED)

    def authenticated(self, attempt: Attempt) -> None:
        """Count a look at a key or a token."""
        self._attempts[attempt].inc()

    def limited(self, unit: Unit) -> None:
        """Count a refusal."""
        self._limited[unit].inc()
