"""What the events say of who the client is."""

from app.core.events import Event
from app.core.events.relationship import ClientCreated, ClientUpdated

__all__ = ["ProfileBook"]


class ProfileBook:
    """Keeps the newest name."""

    kinds = (ClientCreated, ClientUpdated)

    def __init__(self) -> None:
        """Nothing is known."""
        self.name: str | None = None

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        assert isinstance(event.data, ClientCreated | ClientUpdated)
        self.name = event.data.name or self.name
