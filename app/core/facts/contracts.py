"""What the events say of each contract: sent, explained, refused, signed, run out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.core.events import Event, Mark
from app.core.events import contract as told
from app.core.facts.files import NOTHING, Files

__all__ = ["Contract", "ContractsBook"]


@dataclass(frozen=True, slots=True)
class Contract:
    """One contract as it stands.

    Attributes:
        id: the tenant's own id of it.
        asked: the first time that it was sent, explained or refused.
        sent: the last time that it was sent.
        explained: when the client was told why it is needed.
        declined: each refusal.
        signed: the signature, while it holds.
        touched: the last time that anything but a signature was told of it.
        ended: when a signature ran out or was withdrawn, while there is no newer one.
        lapsed: the same of a signature or of the offer to sign it, while it was not sent again.
    """

    id: str
    asked: Mark
    sent: Mark | None
    explained: tuple[Mark, ...]
    declined: tuple[Mark, ...]
    signed: Mark | None
    touched: Mark
    ended: Mark | None
    lapsed: Mark | None


class ContractsBook:
    """Keeps every contract that was talked about."""

    kinds = (
        told.ContractSent,
        told.ContractExplained,
        told.ContractSigned,
        told.ContractDeclined,
        told.ContractExpired,
        told.ContractTerminated,
    )

    def __init__(self) -> None:
        """Nothing is known."""
        self._files = Files(_contract)

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        assert isinstance(event.data, self.kinds)
        self._files.enter(event.data.contract, event)

    def read(self, supposed: Mapping[str, Sequence[Event]] = NOTHING) -> tuple[Contract, ...]:
        """The contracts by the first time that they were spoken of; see `Files.read` for what is supposed."""
        return tuple(sorted(self._files.read(supposed), key=lambda contract: (contract.asked.at, contract.id)))


def _contract(name: str, history: list[Event]) -> Contract:
    explained: list[Mark] = []
    declined: list[Mark] = []
    signed: Mark | None = None
    sent = ended = lapsed = None
    for event in history:
        mark = event.mark
        match event.data:
            case told.ContractSent():
                sent, lapsed = mark, None
            case told.ContractExplained():
                explained.append(mark)
            case told.ContractDeclined():
                declined.append(mark)
            case told.ContractSigned():
                signed, ended, lapsed = mark, None, None
            case told.ContractExpired() | told.ContractTerminated():
                lapsed = mark
                if signed is not None:
                    signed, ended = None, mark
            case _:
                pass
    last = next((event for event in reversed(history) if not isinstance(event.data, told.ContractSigned)), history[0])
    return Contract(name, history[0].mark, sent, tuple(explained), tuple(declined), signed, last.mark, ended, lapsed)
