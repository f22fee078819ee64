"""The state of a chronicle: what a client's events up to one of them come to, however many they are."""

from dataclasses import dataclass, field

from app.core.events import EventRef, Mark
from app.core.facts.contacts import ContactsState
from app.core.facts.contracts import ContractsState
from app.core.facts.ending import Ending
from app.core.facts.invoices import InvoicesState
from app.core.facts.profile import Profile
from app.core.facts.talks import TalksState
from app.core.facts.work import WorkState

__all__ = ["State"]


@dataclass(slots=True)
class State:
    """What is kept after some events.

    Attributes:
        last: the last of the events; None before the first.
        events: how many they are, without those that were taken back.
        voided: the events that were taken back, with those that took them back.
        contracts, work, contacts, talks, invoices, profile, ending: by subject.
    """

    last: Mark | None = None
    events: int = 0
    voided: set[EventRef] = field(default_factory=set)
    contracts: ContractsState = field(default_factory=ContractsState)
    work: WorkState = field(default_factory=WorkState)
    contacts: ContactsState = field(default_factory=ContactsState)
    talks: TalksState = field(default_factory=TalksState)
    invoices: InvoicesState = field(default_factory=InvoicesState)
    profile: Profile = field(default_factory=Profile)
    ending: Ending | None = None

    @property
    def listed(self) -> int:
        """How much there is that is kept one by one, without bounds."""
        unpaid = sum(len(change.beyond) for change in self.work.changes.values())
        return len(self.invoices.open) + len(self.contracts.contracts) + len(self.voided) + unpaid

    def copy(self) -> "State":
        """The same, to go on with apart."""
        return State(
            self.last,
            self.events,
            set(self.voided),
            self.contracts.copy(),
            self.work.copy(),
            self.contacts.copy(),
            self.talks.copy(),
            self.invoices.copy(),
            self.profile,
            self.ending,
        )
