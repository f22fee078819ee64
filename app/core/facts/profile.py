"""What the events say of who the client is."""

from dataclasses import dataclass, replace

from app.core.events import Event
from app.core.events.relationship import ClientCreated, ClientUpdated

__all__ = ["Profile", "ProfileBook"]


@dataclass(frozen=True, slots=True)
class Profile:
    """Who the client is; None is what was not told."""

    name: str | None = None
    country: str | None = None
    currency: str | None = None
    time_zone: str | None = None


class ProfileBook:
    """Keeps the newest of everything."""

    kinds = (ClientCreated, ClientUpdated)

    def __init__(self, profile: Profile) -> None:
        """Go on from what is known."""
        self.state = profile

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        told = event.data
        assert isinstance(told, ClientCreated | ClientUpdated)
        said = {name: getattr(told, name) for name in ("name", "country", "currency", "time_zone")}
        self.state = replace(self.state, **{name: value for name, value in said.items() if value is not None})
