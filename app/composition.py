"""The composition root: builds everything and wires it together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from fastapi import FastAPI
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine

import app as partwise
from app.edge.access_lines import AccessLines, Log
from app.edge.cors import Cors
from app.edge.edge import Edge
from app.edge.observed import Observed, Observer
from app.edge.rates import RateGate
from app.metrics.http import HttpMetrics
from app.metrics.listeners import Metrics, server_metrics, worker_metrics
from app.oidc.jwt_tokens import JwtTokens
from app.outgoing.late import LateSender
from app.ports.database import Pool, Transaction
from app.ports.ledger import StoreUnavailableError
from app.ports.tenants import Tenants
from app.ports.tracing import OFF, Tracing
from app.rest.application import Application, create_operators, create_rest
from app.rest.problem_types import PROBLEM_TYPES, ProblemType
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
from app.use_cases.deliver import Deliver
from app.use_cases.digests import Digests
from app.use_cases.erase_clients import EraseClients
from app.use_cases.fairness import FairThreads
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
from app.wiring.deliveries import delivering_for, sender_for
from app.wiring.graphql import graphql_endpoint
from app.wiring.webhooks import managing

__all__ = [
    "Server",
    "SystemClock",
    "Worker",
    "create_app",
    "create_server",
    "services_for",
    "verification_for",
    "worker_for",
]


_KEPT_FACTS: Final = 4_000
_KEPT_EVENTS: Final = 500_000
"""Events that a server keeps at hand, ready to be weighed."""
_KEPT_BY_WORKER: Final = 20_000
"""A worker rarely needs the same client's events twice: few are kept at hand."""
_PULSE: Final = 5.0
"""Seconds between two questions whether the database is there."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present instant, in UTC."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Wired:
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


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and what is told of it beside.

    Attributes:
        rest: what it serves.
        operators: what it serves on the port of operators, if it has one.
        ending: to be told when it is to end.
        refused: to be told of each problem that is answered before there is a request.
    """

    rest: Application
    operators: Application
    ending: Ending
    refused: Callable[[ProblemType], None]


def create_app(settings: Settings, tracing: Tracing = OFF) -> FastAPI:
    """The ASGI application for some settings."""
    return create_server(settings, tracing).rest


def create_server(settings: Settings, tracing: Tracing = OFF, access: Log | None = None) -> Server:
    """A server for some settings; traced, and with a line for each request in a log, where these are given."""
    ending = Ending()
    settled = {"type": tuple(PROBLEM_TYPES)}
    metrics = None
    if settings.metrics:
        metrics = server_metrics(settings.commit, lambda: ending.has_begun, SystemClock(), settled)
    # Somebody waits at the other end of each request.
    wired = _wire(settings, metrics, ending, tracing=tracing, seconds=settings.database_patience)
    vitals = wired.services.vitals
    if settings.metrics_port is not None:
        wired = replace(wired, services=replace(wired.services, vitals=replace(vitals, exposed=None)))
    services = wired.services

    @asynccontextmanager
    async def lifespan(rest: FastAPI) -> AsyncIterator[None]:
        del rest
        # What the core works out shares the interpreter with the loop: two threads are as quick as many, and give way.
        # The loop ends them when it closes.
        asyncio.get_running_loop().set_default_executor(FairThreads(2, "core", tracing))
        async with _pulse(metrics, vitals):
            yield
        await wired.close()

    rest = create_rest(services, lifespan)
    rest.sockets = frozenset({"/graphql"})
    rest.fronts = {"/graphql": graphql_endpoint(services, settings, metrics, tracing)}
    operations = rest.operations | {("GET", "/graphql"), ("POST", "/graphql")}
    # What is traced begins first and ends last: the others then tell of which trace it is.
    observers: list[Observer] = list(_traced(tracing))
    refused: Callable[[ProblemType], None] = UNHEARD.refused
    if metrics is not None and metrics.server is not None:
        http = metrics.server.http(operations)
        observers.append(http)
        refused = _counted(http)
    if access is not None:
        observers.append(AccessLines(access))

    rest.surround(lambda inside: RateGate(inside, settings.failed_attempts, settings.trusted_proxies))
    rest.surround(lambda inside: Edge(inside, Cors(settings.cors_origins), settings.hsts_seconds))
    if observers:
        rest.surround(lambda inside: Observed(inside, operations, observers))
    return Server(rest, _operators(vitals), ending, refused)


def _traced(tracing: Tracing) -> Iterator[Observer]:
    if tracing.is_on:
        from app.tracing.requests import TracedRequests
        from app.tracing.sdk import OpenTelemetry

        assert isinstance(tracing, OpenTelemetry)
        yield TracedRequests(tracing)


def _counted(http: HttpMetrics) -> Callable[[ProblemType], None]:
    return lambda kind: http.answered_with(kind.slug)


def _operators(vitals: Vitals) -> Application:
    made = create_operators(vitals)
    made.surround(lambda inside: Edge(inside, Cors(())))
    return made


@asynccontextmanager
async def _pulse(metrics: Metrics | None, vitals: Vitals) -> AsyncIterator[None]:
    """Look after the loop and the database for as long as the block lasts, where anybody wants to know."""
    if metrics is None:
        yield
        return

    async def ask() -> None:
        while True:
            # Which tells whoever listens to the database.
            await vitals.ready()
            await asyncio.sleep(_PULSE)

    tasks = [asyncio.create_task(metrics.process.watch_loop()), asyncio.create_task(ask())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def services_for(settings: Settings, kept_events: int = _KEPT_EVENTS) -> AsyncIterator[Services]:
    """The use cases for a command, for as long as the block lasts; so many events are kept at hand."""
    wired = _wire(settings, kept_events=kept_events)
    try:
        yield wired.services
    finally:
        await wired.close()


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker: the use cases, what delivers webhooks, who is told how it goes, and what operators ask."""

    services: Services
    deliver: Deliver
    metrics: Metrics | None
    operators: Application


@asynccontextmanager
async def worker_for(
    settings: Settings, stuck: Callable[[], list[str]] = list, tracing: Tracing = OFF
) -> AsyncIterator[Worker]:
    """A worker for as long as the block lasts; `stuck` names its tasks that stand still."""
    ending = Ending()
    metrics = worker_metrics(settings.commit, lambda: ending.has_begun) if settings.metrics else None
    wired = _wire(settings, metrics, ending, tracing=tracing, kept_events=_KEPT_BY_WORKER)
    vitals = replace(wired.services.vitals, stuck=stuck)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(wired.close)
        await stack.enter_async_context(_pulse(metrics, vitals))
        told = UNHEARD if metrics is None or metrics.webhooks is None else metrics.webhooks
        delivering = delivering_for(settings, wired.engine, wired.reads, wired.hints, clock=SystemClock(), told=told)
        deliver = await stack.enter_async_context(delivering)
        yield Worker(wired.services, deliver, metrics, _operators(vitals))


@asynccontextmanager
async def verification_for(settings: Settings) -> AsyncIterator[tuple[Tenants, Verify]]:
    """What verifies tenants, and the tenants there are, for as long as the block lasts."""
    wired = _wire(settings, kept_events=0)
    try:
        yield wired.tenants, wired.verify
    finally:
        await wired.close()


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


def _wire(
    settings: Settings,
    metrics: Metrics | None = None,
    ending: Ending | None = None,
    *,
    tracing: Tracing = OFF,
    kept_events: int = _KEPT_EVENTS,
    seconds: float = LONGEST,
) -> _Wired:
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
    return _Wired(services, tenants, Verify(histories, checks), engine, reads, writes, rates, hints, sender, tokens)
