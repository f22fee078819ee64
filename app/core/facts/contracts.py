"""What the events say of each contract: sent, explained, refused, signed, run out."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.core.events import Event
from app.core.events import contract as told
from app.core.facts.marks import Mark

__all__ = ["Contract", "contracts_of"]


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract as it stands.

    Attributes:
        id: the tenant's own id of it.
        asked: the first time that it was sent, explained or refused.
        explained: when the client was told why it is needed.
        declined: each refusal.
        signed: the signature, while it holds.
        touched: the last time that anything but a signature was told of it.
        ended: when a signature ran out or was withdrawn, while there is no newer one.
    """

    id: str
    asked: Mark
    explained: tuple[Mark, ...]
    declined: tuple[Mark, ...]
    signed: Mark | None
    touched: Mark
    ended: Mark | None


_OF_CONTRACTS = (
    told.ContractSent,
    told.ContractExplained,
    told.ContractSigned,
    told.ContractDeclined,
    told.ContractExpired,
    told.ContractTerminated,
)


def contracts_of(events: Iterable[Event]) -> tuple[Contract, ...]:
    """Put together every contract that was talked about.

    Args:
        events: one client's events, oldest first; those of other subjects are passed over.

    Returns:
        The contracts by the first time that they were spoken of.
    """
    by_contract: dict[str, list[Event]] = {}
    for event in events:
        if isinstance(event.data, _OF_CONTRACTS):
            by_contract.setdefault(event.data.contract, []).append(event)
    found = [_contract(name, history) for name, history in by_contract.items()]
    return tuple(sorted(found, key=lambda contract: (contract.asked.at, contract.id)))


def _contract(name: str, history: list[Event]) -> Contract:
    explained: list[Mark] = []
    declined: list[Mark] = []
    signed: Mark | None = None
    ended: Mark | None = None
    for event in history:
        mark = Mark(event.time, event.ref)
        match event.data:
            case told.ContractExplained():
                explained.append(mark)
            case told.ContractDeclined():
                declined.append(mark)
            case told.ContractSigned():
                signed, ended = mark, None
            case told.ContractExpired() | told.ContractTerminated():
                if signed is not None:
                    signed, ended = None, mark
            case _:
                pass
    asked = Mark(history[0].time, history[0].ref)
    last = next((event for event in reversed(history) if not isinstance(event.data, told.ContractSigned)), history[0])
    return Contract(name, asked, tuple(explained), tuple(declined), signed, Mark(last.time, last.ref), ended)
