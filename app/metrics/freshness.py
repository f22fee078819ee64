"""How fresh stored assessments are."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from app.ports.assessments import Backlog

__all__ = ["CountedProgress"]


class CountedProgress:
    """Keeps the promise of `app.use_cases.reassess.Progress`: in metrics of a registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        """Register the metrics; None for a registry that nobody else looks at."""
        registry = CollectorRegistry() if registry is None else registry
        self._assessed = Counter(
            "partwise_assessed_clients", "Clients that were assessed and stored.", registry=registry
        )
        self._changed = Counter("partwise_changed_verdicts", "Stored verdicts that became others.", registry=registry)
        self._failed = Counter(
            "partwise_failed_assessments", "Clients and portfolios that could not be assessed.", registry=registry
        )
        self._due = Gauge(
            "partwise_due_clients", "Clients whose stored assessment does not hold any more.", registry=registry
        )
        self._age = Gauge("partwise_due_seconds", "Seconds since the first of them became due.", registry=registry)

    def assessed(self, clients: int, changed_verdicts: int) -> None:
        """Count clients and verdicts; see the protocol."""
        self._assessed.inc(clients)
        self._changed.inc(changed_verdicts)

    def failed(self, clients: int) -> None:
        """Count failures; see the protocol."""
        self._failed.inc(clients)

    def waiting(self, backlog: Backlog) -> None:
        """Show what is due; see the protocol."""
        self._due.set(backlog.clients)
        self._age.set(backlog.seconds)
