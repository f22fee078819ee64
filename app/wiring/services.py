"""Puts together the use cases with what they need of the store, for whatever process."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

import app as partwise
from app.metrics.listeners import Metrics
from app.oidc.jwt_tokens import JwtTokens
from app.outgoing.late import LateSender
from app.ports.database import Pool, Transaction
from app.ports.ledger import StoreUnavailableError
from app.ports.tenants import Tenants
from app.ports.tracing import OFF, Tracing
from app.services import Ending, Services, Vitals
from app.settings import Settings
from app.store.assessments import PostgresAssessments
from app.store.audit import PostgresAuditLog
from app.store.change_feed import PostgresChangeFeed
from app.store.change_hints import PostgresChangeHints
from app.store.checkpoints import PostgresCheckpoints
from app.store.clients import PostgresClients
from app.store.connection import LONGEST
from app.store.engine import make_engine, transaction
from app.store.erasures import PostgresErasures
from app.store.ledger import PostgresLedger
from app.store.net_changes import PostgresNetChanges
from app.store.policies import PostgresPolicies
from app.store.pools import usage_of_engine
from app.store.portfolios import PostgresPortfolios
from app.store.rates import PostgresRates
from app.store.reads import Reads
from app.store.requests import PostgresRequests
from app.store.secrets import PostgresSecrets
from app.store.tallies import PostgresTallies
from app.store.tenants import PostgresTenants
from app.store.writes import Writes
from app.use_cases.assess_clients import AssessClients
from app.use_cases.authenticate import Authenticate
from app.use_cases.cases import Cases
from app.use_cases.clients import ManageClients
from app.use_cases.digests import Digests
from app.use_cases.erase_clients import EraseClients
from app.use_cases.find_events import FindEvents
from app.use_cases.follow_changes import FollowChanges
from app.use_cases.histories import Histories
from app.use_cases.intake import Intake
from app.use_cases.keys import Keys
from app.use_cases.list_clients import ListClients
from app.use_cases.live_changes import LiveChanges
from app.use_cases.memories import Memories
from app.use_cases.once import Once
from app.use_cases.policies import ManagePolicies
from app.use_cases.portfolio_metrics import PortfolioMetrics
from app.use_cases.portfolios import Portfolios
from app.use_cases.rates import RateLimits
from app.use_cases.reassess import Reassess
from app.use_cases.recall import Recall
from app.use_cases.record_events import RecordEvents
from app.use_cases.unchanged import Unchanged
from app.use_cases.unheard import UNHEARD
from app.use_cases.verify import CheckAssessments, CheckCheckpoints, CheckPortfolio, CheckShares, CheckTallies, Verify
from app.wire.assessments import PackedAssessments, PackedPortfolios
from app.wire.cloudevents import EventDecoder
from app.wire.cursors import Cursors
from app.wire.policies import JsonPolicies
from app.wire.states import MessagePackStates
from app.wire.tags import Taggers
from app.wiring.deliveries import sender_for
from app.wiring.webhooks import managing

__all__ = ["KEPT_EVENTS", "SystemClock", "Wired", "wire"]

_KEPT_FACTS: Final = 4_000
KEPT_EVENTS: Final = 500_000
"""Events that a server keeps at hand, ready to be weighed."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Wired:
    """The use cases, and what is beside them; to be closed."""

    services: Services
    tenants: Tenants
    verify: Verify
    engine: AsyncEngine
    reads: Reads
    writes: Writes
    rates: PostgresRates
    hints: PostgresChangeHints
    sender: LateSender
    tokens: JwtTokens | None

    async def close(self) -> None:
        """Close all that is open."""
        await self.services.keys.close()
        if self.tokens is not None:
            await self.tokens.close()
        await self.services.live.close()
        await self.hints.close()
        await self.sender.close()
        await self.writes.close()
        await self.rates.close()
        await self.reads.close()
        await self.engine.dispose()


def _following(
    settings: Settings, feed: PostgresChangeFeed, hints: PostgresChangeHints, ending: Ending | None
) -> FollowChanges:
    def is_ending() -> bool:
        return ending is not None and ending.has_begun

    return FollowChanges(feed, hints, settings.changes_keep, settings.changes_wait, is_ending)


def _tell_pools(metrics: Metrics, engine: AsyncEngine, reads: Reads, writes: Writes, tracing: Tracing) -> None:
    if tracing.is_on:
        metrics.meters.sampled = tracing.sampled
    metrics.database.pool(Pool.QUERIES, lambda: usage_of_engine(engine))
    metrics.database.pool(Pool.READS, reads.usage)
    metrics.database.pool(Pool.WRITES, writes.usage)


def wire(
    settings: Settings,
    metrics: Metrics | None = None,
    ending: Ending | None = None,
    *,
    tracing: Tracing = OFF,
    kept_events: int = KEPT_EVENTS,
    seconds: float = LONGEST,
) -> Wired:
    """Put all together.

    Args:
        settings: what the surroundings decide.
        metrics: is told how it goes; None for nobody.
        ending: tells when the process is about to end.
        tracing: traces what is done.
        kept_events: events that are kept at hand at most.
        seconds: that a statement may take.
    """
    watch = UNHEARD if metrics is None else metrics.database
    freshness = UNHEARD if metrics is None else metrics.freshness
    asking = UNHEARD if metrics is None or metrics.server is None else metrics.server.asking
    ingest = UNHEARD if metrics is None or metrics.server is None else metrics.server.ingest
    engine = make_engine(settings.database_url or "", settings.database_pool_size, seconds, watch, tracing)
    clock = SystemClock()
    decoder = EventDecoder(clock)
    url, patience = settings.database_url or "", settings.ingest_patience
    writes = Writes(url, settings.database_write_pool_size, patience, seconds, watch, tracing)
    ledger = PostgresLedger(engine, writes, decoder.load)
    histories = Histories(ledger, kept_events)
    policies = ManagePolicies(PostgresPolicies(engine), JsonPolicies(), clock)

    reads = Reads(url, settings.database_pool_size, seconds, watch, tracing)
    checkpoints = PostgresCheckpoints(engine, reads, decoder.load, MessagePackStates())
    memories = Memories(_KEPT_FACTS)
    recall = Recall(checkpoints, ledger, histories, memories, tracing)
    clients = PostgresClients(reads)
    stored = PostgresPortfolios(engine, reads, PackedPortfolios())
    portfolios = Portfolios(histories, recall, stored, policies, clock, settings.worker_lease, tracing)
    cases = Cases(histories, memories, recall, portfolios, policies, freshness)
    assess = AssessClients(cases, histories, recall, portfolios, policies, clock, freshness)
    form = PackedAssessments()
    hints = PostgresChangeHints(url)
    assessments = PostgresAssessments(engine, reads, form, hints.tell)
    tallies = PostgresTallies(engine, reads)
    reassess = Reassess(
        assessments,
        tallies,
        histories,
        recall,
        portfolios,
        policies,
        clock,
        freshness,
        settings.worker_lease,
        evaluations=freshness,
        tracing=tracing,
    )

    async def ready() -> bool:
        try:
            async with transaction(engine, None, Transaction.READY) as connection:
                await connection.execute(text("SELECT 1 FROM event, policy, audit_entry LIMIT 0"))
        except (StoreUnavailableError, DBAPIError):
            # Away, or without the tables or the rights to them: `migrate` was not run.
            watch.asked(False)
            return False
        watch.asked(True)
        return True

    changes = _following(settings, PostgresChangeFeed(engine, reads), hints, ending)
    sender = LateSender(lambda: sender_for(settings))
    webhooks, ping_webhook = managing(settings, engine, clock, sender)
    intake = Intake(settings.ingest_memory, settings.database_write_pool_size, settings.ingest_patience)
    if metrics is not None:
        _tell_pools(metrics, engine, reads, writes, tracing)
        if metrics.server is not None:
            metrics.server.ingest.waits(lambda: intake.held_bytes, intake.most_bytes)

    secrets = PostgresSecrets(engine, settings.signing_secrets)
    tenants = PostgresTenants(engine)
    rates = PostgresRates(url, engine, reads, tracing)
    keys = Keys(tenants, clock)
    tokens = JwtTokens(settings.oidc) if settings.oidc else None
    shown = PortfolioMetrics(tallies, reassess, policies, clock, settings.portfolio_metrics_clients)
    services = Services(
        authenticate=Authenticate(keys, tokens, tenants, clock, asking),
        keys=keys,
        rates=RateLimits(rates, settings.rate_limits, refusals=asking),
        audit=PostgresAuditLog(engine),
        record=RecordEvents(ledger, ingest, tracing),
        find=FindEvents(ledger),
        changes=changes,
        digests=Digests(
            PostgresNetChanges(reads), cases, histories, portfolios, policies, shown, clock, settings.changes_keep
        ),
        live=LiveChanges(changes),
        webhooks=webhooks,
        ping_webhook=ping_webhook,
        clients=ManageClients(clients, ledger, clock),
        erase=EraseClients(PostgresErasures(engine), clock, tracing=tracing),
        listing=ListClients(clients, assessments, reassess, assess, clock),
        assess=assess,
        reassess=reassess,
        portfolio_metrics=shown,
        policies=policies,
        decoder=decoder,
        once=Once(
            PostgresRequests(engine),
            lease=timedelta(seconds=settings.idempotency_lease),
            keep=timedelta(seconds=settings.idempotency_keep),
        ),
        cursors=Cursors(secrets),
        tags=Taggers(secrets, partwise.__version__),
        unchanged=Unchanged(assessments, histories, portfolios, policies),
        intake=intake,
        rate_patience=settings.rate_patience,
        vitals=Vitals(ending or Ending(), ready, None if metrics is None else metrics.meters.exposed),
    )
    # What else is stored beside the events gets its check here.
    checks = (
        CheckCheckpoints(checkpoints, histories, policies),
        CheckShares(stored, histories, policies),
        CheckPortfolio(stored, policies),
        CheckAssessments(assessments, form, stored, histories, policies),
        CheckTallies(tallies),
    )
    return Wired(services, tenants, Verify(histories, checks), engine, reads, writes, rates, hints, sender, tokens)
