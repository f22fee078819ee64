"""How webhooks are delivered."""

from collections.abc import Sequence

from app.metrics.catalogue import (
    WEBHOOK_ATTEMPTS,
    WEBHOOK_LAG,
    WEBHOOK_OVERDUE,
    WEBHOOK_WAITING,
    WEBHOOKS,
    WEBHOOKS_DISABLED,
)
from app.metrics.meters import Meters
from app.ports.outbox import Figure
from app.ports.webhooks import DisabledReason

__all__ = ["WebhookMetrics"]


class WebhookMetrics:
    """Keeps the promise of `app.use_cases.deliver.Deliveries`."""

    def __init__(self, meters: Meters) -> None:
        """Count in these."""
        self._webhooks = meters.gauges(WEBHOOKS)
        self._waiting = meters.gauges(WEBHOOK_WAITING)
        self._overdue = meters.gauges(WEBHOOK_OVERDUE)
        self._lag = meters.histogram(WEBHOOK_LAG)
        self._attempts = meters.counters(WEBHOOK_ATTEMPTS)
        self._disabled = meters.counters(WEBHOOKS_DISABLED)

    def tried(self, outcome: str) -> None:
        """Count a try."""
        self._attempts.get(outcome, self._attempts["other"]).inc()

    def delivered(self, seconds: float) -> None:
        """Note how long it took."""
        self._lag.observe(max(seconds, 0.0))

    def disabled(self, reason: DisabledReason) -> None:
        """Count one."""
        self._disabled[reason.value].inc()

    def stand(self, figures: Sequence[Figure]) -> None:
        """Show how all do."""
        for name, gauge in self._webhooks.items():
            gauge.set(sum(one.webhooks for one in figures if _state(one) == name))
        for name in self._waiting:
            some = [one for one in figures if one.enabled and one.troubled == (name == "troubled")]
            self._waiting[name].set(sum(one.waiting for one in some))
            self._overdue[name].set(max((one.seconds for one in some), default=0.0))


def _state(figure: Figure) -> str:
    if not figure.enabled:
        return "disabled"
    return "troubled" if figure.troubled else "enabled"
