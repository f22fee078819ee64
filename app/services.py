"""What the composition root hands to the interfaces: the use cases, and the decoder of events."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from app.ports.audit import AuditLog
from app.ports.rates import Unit
from app.use_cases.assess_clients import AssessClients
from app.use_cases.authenticate import Authenticate
from app.use_cases.clients import ManageClients
from app.use_cases.digests import Digests
from app.use_cases.erase_clients import EraseClients
from app.use_cases.fairness import ACTING_FOR
from app.use_cases.find_events import FindEvents
from app.use_cases.follow_changes import FollowChanges
from app.use_cases.intake import Intake
from app.use_cases.keys import Keys, Principal
from app.use_cases.list_clients import ListClients
from app.use_cases.live_changes import LiveChanges
from app.use_cases.once import Once
from app.use_cases.ping_webhooks import PingWebhooks
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolio_metrics import PortfolioMetrics
from app.use_cases.rates import Allowance, RateLimits
from app.use_cases.reassess import Reassess
from app.use_cases.record_events import RecordEvents
from app.use_cases.unchanged import Unchanged
from app.use_cases.webhooks import ManageWebhooks
from app.wire.cloudevents import EventDecoder
from app.wire.cursors import Cursors
from app.wire.tags import Taggers

__all__ = ["ALLOWANCE", "DOOR", "STREAM", "Door", "Ending", "Services", "Vitals", "let_in"]

ALLOWANCE: Final = "partwise.allowance"
"""Where the state of an ASGI scope holds what the key that asks may still ask for."""
STREAM: Final = "partwise.stream"
"""There where a request takes as long as its client likes: a stream of events, or one who follows changes."""
DOOR: Final = "partwise.door"
"""Where the state of an ASGI scope holds the `Door` of a connection on which it is said later who asks."""


class Door(Protocol):
    """Who may try keys and tokens, and who has tried too many."""

    def check(self, secret: str) -> None:
        """See whether this may be looked at.

        Raises:
            RateLimitedError: too many that did not count came from here.
        """
        ...

    def failed(self) -> None:
        """It did not count."""
        ...

    def passed(self, secret: str, allowance: Allowance) -> None:
        """It did."""
        ...


class Ending:
    """Whether the process was told to end: from then on it is not ready, and finishes what it was asked."""

    def __init__(self) -> None:
        """Not yet."""
        self.has_begun = False

    def begin(self) -> None:
        """It was told."""
        self.has_begun = True


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a process can tell operators of itself.

    Attributes:
        ending: whether it was told to end.
        ready: whether the database can be used.
        exposed: what it counts, as OpenMetrics or in Prometheus's own format; None where that is told elsewhere, or
            nothing is counted.
        stuck: what has stood still for too long, by name; none where all goes on. The database has no part in it.
    """

    ending: Ending
    ready: Callable[[], Awaitable[bool]]
    exposed: Callable[[bool], bytes] | None = None
    stuck: Callable[[], Sequence[str]] = tuple


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases, the decoder of events, and how much is taken in at once."""

    authenticate: Authenticate
    keys: Keys
    rates: RateLimits
    audit: AuditLog
    record: RecordEvents
    find: FindEvents
    changes: FollowChanges
    webhooks: ManageWebhooks
    ping_webhook: PingWebhooks
    digests: Digests
    live: LiveChanges
    clients: ManageClients
    erase: EraseClients
    listing: ListClients
    assess: AssessClients
    reassess: Reassess
    portfolio_metrics: PortfolioMetrics
    policies: ManagePolicies
    decoder: EventDecoder
    cursors: Cursors
    tags: Taggers
    unchanged: Unchanged
    once: Once
    intake: Intake
    rate_patience: float
    vitals: Vitals


async def let_in(scope: MutableMapping[str, Any], rates: RateLimits, principal: Principal) -> Allowance:
    """Count a request of who was found to ask, once, and note for the head of its answer what is left.

    Raises:
        RateLimitedError: it may not ask now.
    """
    state = scope.setdefault("state", {})
    counted: Allowance | None = state.get(ALLOWANCE)
    if counted is not None:
        return counted
    ACTING_FOR.set(principal.tenant_id)
    allowance = await rates.of(principal)
    state[ALLOWANCE] = allowance
    await allowance.take(Unit.REQUESTS)
    return allowance
