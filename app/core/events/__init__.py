"""What can happen between a business and its client: the event catalogue and its typed data."""

from app.core.events.catalogue import CATALOGUE, EventType
from app.core.events.event import Event, EventData, EventRef, Mark

__all__ = ["CATALOGUE", "Event", "EventData", "EventRef", "EventType", "Mark"]
