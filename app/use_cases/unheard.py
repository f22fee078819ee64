"""For where nobody listens: what use cases and the store tell of how it goes, they tell this one."""

from typing import Final

__all__ = ["UNHEARD", "Unheard"]


class Unheard:
    """Keeps the promise of everybody who is told how it goes, and does nothing."""

    def recorded(self, *told: object, **named: object) -> None:
        """See `record_events.Ingest`."""

    def refused(self, *told: object, **named: object) -> None:
        """See `app.composition.Server`."""

    def limited(self, *told: object, **named: object) -> None:
        """See `rates.Refusals`."""

    def authenticated(self, *told: object, **named: object) -> None:
        """See `authenticate.Attempts`."""

    def evaluated(self, *told: object, **named: object) -> None:
        """See `purposes.Evaluations`."""

    def assessed(self, *told: object, **named: object) -> None:
        """See `reassess.Progress`."""

    def failed(self, *told: object, **named: object) -> None:
        """See `reassess.Progress` and `app.ports.database.DatabaseWatch`."""

    def waiting(self, *told: object, **named: object) -> None:
        """See `reassess.Progress`."""

    def tried(self, *told: object, **named: object) -> None:
        """See `deliver.Deliveries`."""

    def delivered(self, *told: object, **named: object) -> None:
        """See `deliver.Deliveries`."""

    def disabled(self, *told: object, **named: object) -> None:
        """See `deliver.Deliveries`."""

    def stand(self, *told: object, **named: object) -> None:
        """See `deliver.Deliveries`."""

    def answered(self, *told: object, **named: object) -> None:
        """See `app.graphql.operations.Operations`."""

    def subscribed(self, *told: object, **named: object) -> None:
        """See `app.graphql.operations.Operations`."""

    def unsubscribed(self, *told: object, **named: object) -> None:
        """See `app.graphql.operations.Operations`."""

    def waited(self, *told: object, **named: object) -> None:
        """See `app.ports.database.DatabaseWatch`."""

    def worked(self, *told: object, **named: object) -> None:
        """See `app.ports.database.DatabaseWatch`."""

    def asked(self, *told: object, **named: object) -> None:
        """See `app.ports.database.DatabaseWatch`."""


UNHEARD: Final = Unheard()
