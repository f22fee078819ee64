"""Checkpoints: what clients' events come to at some places of their histories, so that no answer reads all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from app.core.checkpoints import Checkpoint
from app.core.events import Event, Mark
from app.core.facts import Base, Change, Invoice, State
from app.core.history import History

__all__ = ["Checkpoints", "Loaded", "Span", "StateFormat", "Tail"]


class Span(NamedTuple):
    """A part of a history that is wanted: it can be read from `since` on, and up to `until`."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Loaded:
    """Parts of one client's history.

    Attributes:
        revision: the client's, as it was when they were read.
        history: the parts, which reach the instants that were asked for.
        longest: how many events the longest part has, which says whether checkpoints are missing.
    """

    revision: int
    history: History
    longest: int


@dataclass(frozen=True, slots=True)
class Tail:
    """Events behind a client's newest checkpoint: some of them, the oldest first, and what came before."""

    base: Base | None
    events: list[Event]


class StateFormat(Protocol):
    """Writes and reads states, and what they keep only in sums."""

    @property
    def version(self) -> int:
        """One more whenever the same events come to another state; what another version wrote is passed over."""
        ...

    def dump(self, what: State | Invoice | Change) -> bytes:
        """Write one of them."""
        ...

    def state(self, data: bytes) -> State:
        """Read a state."""
        ...

    def invoice(self, data: bytes) -> Invoice:
        """Read an invoice."""
        ...

    def change(self, data: bytes) -> Change:
        """Read a change."""
        ...


class Checkpoints(Protocol):
    """Keeps checkpoints, a mere cache: without them all is read, and comes to the same.

    They are for one version of the policy. Every method raises `StoreUnavailableError` when it cannot.
    """

    async def histories(
        self, tenant_id: str, policy_version: str, asked: Mapping[str, Sequence[Span]], limit: int | None
    ) -> dict[str, Loaded]:
        """The parts of some clients' histories that reach some spans; who is not known is left out.

        A part has at most so many events, where there is a limit: one that is as long is not whole.
        """
        ...

    async def place(self, tenant_id: str, client_id: str, before: Mark | None, as_of: datetime, count: int) -> datetime:
        """The instant from which on the last so many events happened that come before a mark, and not after `as_of`.

        It is that of the first event where there are fewer, and `as_of` where there are none.
        """
        ...

    async def far(self, tenant_id: str, policy_version: str, client_ids: Sequence[str], events: int) -> list[str]:
        """Those of some clients who have so many events or more behind their newest checkpoint."""
        ...

    async def tail(self, tenant_id: str, policy_version: str, client_id: str, limit: int) -> Tail:
        """The events behind the newest checkpoint, at most so many."""
        ...

    async def save(self, tenant_id: str, policy_version: str, client_id: str, made: Sequence[Checkpoint]) -> int:
        """Keep checkpoints that follow each other, and the first of them a kept one or the beginning.

        Each is kept only if it rests on exactly the events that there are by now.

        Returns:
            How many were kept.
        """
        ...

    async def drop_others(self, tenant_id: str, policy_version: str, client_id: str) -> int:
        """Drop a client's checkpoints for other versions of the policy, and those of other versions of states."""
        ...

    async def forget(self, tenant_id: str, client_id: str, since: datetime | None) -> None:
        """Forget a client's checkpoints, those at or after an instant or all."""
        ...
