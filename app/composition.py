"""The composition root: builds everything and wires it together."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

from fastapi import FastAPI

from app.edge.access_lines import AccessLines, Log
from app.edge.cors import Cors
from app.edge.edge import Edge
from app.edge.observed import Observed, Observer
from app.edge.rates import RateGate
from app.metrics.http import HttpMetrics
from app.metrics.listeners import Metrics, server_metrics, worker_metrics
from app.ports.tenants import Tenants
from app.ports.tracing import OFF, Tracing
from app.rest.application import Application, create_operators, create_rest
from app.rest.problem_types import PROBLEM_TYPES, ProblemType
from app.services import Ending, Services, Vitals
from app.settings import Settings
from app.use_cases.deliver import Deliver
from app.use_cases.fairness import FairThreads
from app.use_cases.unheard import UNHEARD
from app.use_cases.verify import Verify
from app.wiring.deliveries import delivering_for
from app.wiring.graphql import graphql_endpoint
from app.wiring.services import KEPT_EVENTS, SystemClock, wire

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


_KEPT_BY_WORKER: Final = 20_000
"""A worker rarely needs the same client's events twice: few are kept at hand."""
_PULSE: Final = 5.0
"""Seconds between two questions whether the database is there."""
_LAST_QUESTION: Final = 2.0
"""Seconds that the last one may take when the process ends."""


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
    wired = wire(settings, metrics, ending, tracing=tracing, seconds=settings.database_patience)
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

    ended = asyncio.Event()

    async def ask() -> None:
        while not ended.is_set():
            # Which tells whoever listens to the database.
            await vitals.ready()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PULSE):
                    await ended.wait()

    watching, asking = asyncio.create_task(metrics.process.watch_loop()), asyncio.create_task(ask())
    try:
        yield
    finally:
        ended.set()
        # A question that is under way is not broken off, unless the database is away: a connection would be left open.
        await asyncio.wait({asking}, timeout=_LAST_QUESTION)
        for task in (watching, asking):
            task.cancel()
        await asyncio.gather(watching, asking, return_exceptions=True)


@asynccontextmanager
async def services_for(settings: Settings, kept_events: int = KEPT_EVENTS) -> AsyncIterator[Services]:
    """The use cases for a command, for as long as the block lasts; so many events are kept at hand."""
    wired = wire(settings, kept_events=kept_events)
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
    wired = wire(settings, metrics, ending, tracing=tracing, kept_events=_KEPT_BY_WORKER)
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
    wired = wire(settings, kept_events=0)
    try:
        yield wired.tenants, wired.verify
    finally:
        await wired.close()
