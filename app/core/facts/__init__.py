"""What the events of one client amount to, as of an instant: the facts that the signs weigh."""

from app.core.facts.chronicle import Chronicle, Facts, gather
from app.core.facts.contacts import Contacts
from app.core.facts.contracts import Contract
from app.core.facts.invoices import Invoice
from app.core.facts.measured_once import measured_once
from app.core.facts.profile import Profile
from app.core.facts.talks import Talks
from app.core.facts.work import Work

__all__ = [
    "Chronicle",
    "Contacts",
    "Contract",
    "Facts",
    "Invoice",
    "Profile",
    "Talks",
    "Work",
    "gather",
    "measured_once",
]
