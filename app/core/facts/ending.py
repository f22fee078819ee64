"""What the events say of the end of the relationship."""

from dataclasses import dataclass

from app.core.events import Event, Mark
from app.core.events.agreement import AgreementAmended, AgreementMade
from app.core.events.contract import ContractSent, ContractSigned
from app.core.events.fields import By
from app.core.events.relationship import RelationshipEnded

__all__ = ["Ending", "EndingBook"]


@dataclass(frozen=True, slots=True)
class Ending:
    """The relationship ended: by whom, and when."""

    by: By
    mark: Mark


class EndingBook:
    """Keeps the end, until something new is agreed."""

    kinds = (RelationshipEnded, AgreementMade, AgreementAmended, ContractSent, ContractSigned)

    def __init__(self, ending: Ending | None) -> None:
        """Go on from what is known."""
        self.state = ending

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        self.state = Ending(event.data.by, event.mark) if isinstance(event.data, RelationshipEnded) else None
