"""What the composition root hands to the interfaces: the use cases, and the decoder of events."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from app.ports.audit import AuditLog
from app.use_cases.assess_clients import AssessClients
from app.use_cases.authenticate import Authenticate
from app.use_cases.clients import ManageClients
from app.use_cases.erase_clients import EraseClients
from app.use_cases.find_events import FindEvents
from app.use_cases.intake import Intake
from app.use_cases.keys import Keys
from app.use_cases.list_clients import ListClients
from app.use_cases.once import Once
from app.use_cases.policies import ManagePolicies
from app.use_cases.reassess import Reassess
from app.use_cases.record_events import RecordEvents
from app.use_cases.unchanged import Unchanged
from app.wire.cloudevents import EventDecoder
from app.wire.cursors import Cursors
from app.wire.tags import Taggers

__all__ = ["Services"]


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases, the decoder of events, and how much is taken in at once."""

    authenticate: Authenticate
    keys: Keys
    audit: AuditLog
    record: RecordEvents
    find: FindEvents
    clients: ManageClients
    erase: EraseClients
    listing: ListClients
    assess: AssessClients
    reassess: Reassess
    policies: ManagePolicies
    decoder: EventDecoder
    cursors: Cursors
    tags: Taggers
    unchanged: Unchanged
    once: Once
    intake: Intake
    ready: Callable[[], Awaitable[bool]]
