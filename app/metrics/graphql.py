"""GraphQL operations, by kind and outcome."""

from app.metrics.catalogue import GRAPHQL_OPERATIONS, GRAPHQL_SECONDS, SUBSCRIPTIONS, SUBSCRIPTIONS_ENDED
from app.metrics.meters import Meters

__all__ = ["GraphQLMetrics"]


class GraphQLMetrics:
    """Counts operations; keeps the promise of `app.graphql.operations.Operations`."""

    def __init__(self, meters: Meters) -> None:
        """Count in these."""
        self._meters = meters
        self._seconds = meters.histograms(GRAPHQL_SECONDS)
        self._open = meters.gauges(SUBSCRIPTIONS)

    def answered(self, kind: str, ending: str, seconds: float) -> None:
        """Count one."""
        self._meters.labelled(GRAPHQL_OPERATIONS, kind, ending).inc()
        self._seconds[kind].observe(seconds, self._meters.sampled())

    def subscribed(self, transport: str) -> None:
        """One more is open."""
        self._open[transport].inc()

    def unsubscribed(self, transport: str, end: str) -> None:
        """One less."""
        self._open[transport].dec()
        self._meters.labelled(SUBSCRIPTIONS_ENDED, transport, end).inc()
