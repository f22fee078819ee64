"""What a courier has in hand, by client: the deliveries of one client wait for each other, those of others do not."""

import heapq
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from app.ports.sending import Message
from app.ports.webhooks import Attempt, MessageType

__all__ = ["Item", "Line", "Lines"]


@dataclass(slots=True, eq=False)
class Item:
    """A delivery in hand.

    Attributes:
        message_id: `webhook-id`.
        type: of the message.
        message: what is sent; None once it is over.
        place: of a change, in the feed; None for another message.
        client_id: of a change, whose; None for another message.
        changed_at: when the change was stored; None for another message.
        created_at: when it was made.
        checked_at: when it was last known, by the loop's clock, that it is still told.
        number: of the delivery, once that is known.
        tries: since its schedule began.
        attempts: the newest ones.
        is_noted: whether it was handed in to be noted.
        turn: grows with each one that comes into a line.
    """

    message_id: str
    type: MessageType
    message: Message | None
    place: int | None
    client_id: str | None
    changed_at: datetime | None
    created_at: datetime
    checked_at: float
    number: int | None = None
    tries: int = 0
    attempts: Sequence[Attempt] = ()
    is_noted: bool = False
    turn: int = 0

    @property
    def is_being_noted(self) -> bool:
        """Whether its number is not known yet, but soon will be."""
        return self.is_noted and self.number is None


@dataclass(slots=True, eq=False)
class Line:
    """What is to be told of one client, in order; a message that is about none has a line of its own.

    Attributes:
        key: names it among others.
        items: in order.
        is_flying: whether the first one is under way.
        due: when that is tried, by the loop's clock.
        has_failed: whether it was tried in vain.
    """

    key: str
    items: deque[Item] = field(default_factory=deque)
    is_flying: bool = False
    due: float = 0.0
    has_failed: bool = False


class Lines:
    """All lines: which are ready, and which wait for a time."""

    def __init__(self) -> None:
        """Begin with none."""
        self._lines: dict[str, Line] = {}
        self._ready: deque[Line] = deque()
        self._timers: list[tuple[float, int, Line]] = []
        self._turns = self._waits = 0

    def __len__(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    def __iter__(self) -> Iterator[Line]:
        """All of them."""
        return iter(self._lines.values())

    def put(self, item: Item) -> Line:
        """Put something at the end of its line."""
        self._turns += 1
        item.turn = self._turns
        key = item.message_id if item.client_id is None else f"/{item.client_id}"
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(key)
        line.items.append(item)
        return line

    def leave(self, line: Line) -> None:
        """Forget a line that has nothing any more."""
        if not line.items:
            self._lines.pop(line.key, None)

    def ready(self, line: Line) -> None:
        """Its first one may go now."""
        self._ready.append(line)

    def wait(self, line: Line, due: float) -> None:
        """Its first one may go from a time on."""
        line.due = due
        self._waits += 1
        heapq.heappush(self._timers, (due, self._waits, line))

    def ripen(self, now: float) -> int:
        """Those whose time has come are ready; how many are."""
        while self._timers and self._timers[0][0] <= now:
            due, _, line = heapq.heappop(self._timers)
            if line.due == due and not line.is_flying and line.items:
                self._ready.append(line)
        return len(self._ready)

    def take(self, now: float) -> Line | None:
        """The next one that may go; None where there is none."""
        while self._ready:
            line = self._ready.popleft()
            if line.items and not line.is_flying and line.due <= now:
                return line
        return None

    def rouse(self, now: float) -> None:
        """All may go at once, whatever they wait for."""
        for line in self._lines.values():
            if line.items and not line.is_flying:
                line.due = now
                self._ready.append(line)

    @property
    def oldest(self) -> Line | None:
        """The one with the oldest first item, of those that are not under way."""
        waiting = (line for line in self._lines.values() if line.items and not line.is_flying)
        return min(waiting, key=_turn, default=None)

    def oldest_of(self, landed: Line) -> Line:
        """The same, with one that has just come back."""
        found = self.oldest
        return landed if found is None else min(found, landed, key=_turn)

    def is_due_by(self, instant: float) -> bool:
        """Whether any may go by then."""
        return bool(self._ready) or (self._timers != [] and self._timers[0][0] <= instant)

    @property
    def next_timer(self) -> float | None:
        """When the next one's time comes; None where nothing waits for a time."""
        return self._timers[0][0] if self._timers else None

    @property
    def next_noted(self) -> float | None:
        """When the first of those may go that are noted as pending; None where there is none."""
        return min((line.due for line in self._lines.values() if line.items and line.items[0].is_noted), default=None)


def _turn(line: Line) -> int:
    return line.items[0].turn
