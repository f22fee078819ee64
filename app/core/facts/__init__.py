"""What the events of one client amount to, as of an instant: the facts that the signs weigh."""

from app.core.facts.change import Change
from app.core.facts.chronicle import Base, Chronicle, Facts, OutOfReachError, gather
from app.core.facts.contacts import Contacts
from app.core.facts.contracts import Contract
from app.core.facts.invoice import Invoice
from app.core.facts.measured_once import measured_once
from app.core.facts.profile import Profile
from app.core.facts.settled import Settled
from app.core.facts.state import State
from app.core.facts.talks import Talks
from app.core.facts.work import Work

__all__ = [
    "Base",
    "Change",
    "Chronicle",
    "Contacts",
    "Contract",
    "Facts",
    "Invoice",
    "OutOfReachError",
    "Profile",
    "Settled",
    "State",
    "Talks",
    "Work",
    "gather",
    "measured_once",
]
