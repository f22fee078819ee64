"""Real faults, each with the alerts that it is to fire."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.monitoring.load import burst
from tests.monitoring.receiver import answering
from tests.monitoring.stage import Member, Stage

__all__ = ["FAULTS", "UNPROVEN", "Fault"]

PULSE = 0.8
"""Seconds that a process stands still at once."""


@dataclass(frozen=True)
class Fault:
    """A fault.

    Attributes:
        says: what is done, as the table of the proof has it.
        fires: the alerts that it fires.
        harm: it lasts as long as the block does, and is mended at its end.
        errs: whether requests fail or are slow by it.
        stales: whether assessments grow old by it.
    """

    says: str
    fires: tuple[str, ...]
    harm: Callable[[Stage], AbstractContextManager[None]]
    errs: bool = False
    stales: bool = False


@contextmanager
def _frozen(stage: Stage) -> Iterator[None]:
    """Each request takes seconds until it fails: they have to be many, to be many a second."""
    with stage.frozen_postgres(), burst(stage.servers[0].url, stage.key, "/v1/clients", 16):
        yield


@contextmanager
def _locked(stage: Stage) -> Iterator[None]:
    """Nobody can write or read events, and many ask."""
    many = as_json([cloud_event(f"many-{number}", client=f"many-{number % 50}") for number in range(1000)])
    # A batch of a mebibyte, as most of a batch is what people write.
    many = many[:-1] + b" " * (1_000_000 - len(many)) + b"]"
    with ExitStack() as stack:
        stack.enter_context(stage.locked("LOCK TABLE event, client IN ACCESS EXCLUSIVE MODE"))
        stack.enter_context(burst(stage.servers[0].url, stage.key, "/v1/events", 16, many))
        stack.enter_context(burst(stage.servers[0].url, stage.other_key, "/v1/events", 8, many))
        stack.enter_context(burst(stage.servers[0].url, stage.key, "/v1/clients", 8))
        yield


@contextmanager
def _forbidden_audit_log(stage: Stage) -> Iterator[None]:
    """A right is taken away by mistake: what needs it ends in an error that nobody has foreseen."""
    stage.as_administrator("REVOKE SELECT ON audit_entry FROM partwise_service")
    try:
        with burst(stage.servers[0].url, stage.key, "/v1/audit-log", 1):
            yield
    finally:
        stage.as_administrator("GRANT SELECT ON audit_entry TO partwise_service")


@contextmanager
def _no_worker(stage: Stage) -> Iterator[None]:
    stage.worker.kill()
    try:
        yield
    finally:
        stage.worker.start()


@contextmanager
def _nothing_claimed(stage: Stage) -> Iterator[None]:
    """The worker runs, and may not ask who is due: events are stuck."""
    functions = "FUNCTION claim_due_clients, claim_newest_due_clients"
    stage.as_administrator(f"REVOKE EXECUTE ON {functions} FROM PUBLIC")
    # Whoever reads a short list assesses who is due on it; of this tenant nobody reads one.
    _post(stage.servers[0], stage.other_key, [cloud_event(f"stuck-{time.time_ns()}", client="stuck")])
    try:
        yield
    finally:
        stage.as_administrator(f"GRANT EXECUTE ON {functions} TO PUBLIC")


@contextmanager
def _unreadable_events(stage: Stage) -> Iterator[None]:
    """What is stored of some clients cannot be read any more."""
    clients = [f"unreadable-{number}" for number in range(4)]
    events = [cloud_event(f"{one}-{time.time_ns()}", client=one) for one in clients]
    _post(stage.servers[0], stage.other_key, events)
    theirs = "client_id LIKE 'unreadable-%'"
    stage.as_administrator(
        f"CREATE TABLE kept AS SELECT tenant_id, source, id, data FROM event WHERE {theirs}",
        f"DELETE FROM checkpoint WHERE {theirs}",
        f"UPDATE event SET data = '[]' WHERE {theirs}",
        f"UPDATE client SET revision = revision + 1, due_at = now() WHERE {theirs}",
    )
    try:
        yield
    finally:
        stage.as_administrator(
            "UPDATE event SET data = kept.data FROM kept WHERE (event.tenant_id, event.source, event.id)"
            " = (kept.tenant_id, kept.source, kept.id)",
            f"UPDATE client SET revision = revision - 1, due_at = now() WHERE {theirs}",
            "DROP TABLE kept",
        )


@contextmanager
def _rows_held(stage: Stage) -> Iterator[None]:
    """A client is erased, and somebody's long transaction holds the rows that are to go."""
    name = f"erased-{time.time_ns()}"
    _post(stage.servers[0], stage.other_key, [cloud_event(name, client=name)])
    with stage.locked(f"SELECT FROM event WHERE client_id = '{name}' FOR UPDATE"):
        headers = {"Authorization": f"Bearer {stage.other_key}"}
        httpx.delete(f"{stage.servers[0].url}/v1/clients/{name}", headers=headers, timeout=30)
        yield


@contextmanager
def _killed(stage: Stage) -> Iterator[None]:
    server = stage.servers[0]
    server.kill()
    try:
        yield
    finally:
        server.start()


@contextmanager
def _killed_again_and_again(stage: Stage) -> Iterator[None]:
    server = stage.servers[0]

    def restart() -> None:
        server.kill()
        server.start()
        # It is seen once at least.
        time.sleep(1.5)

    with _again_and_again(restart):
        yield


@contextmanager
def _drains(stage: Stage) -> Iterator[None]:
    """It is told to end, and the load balancer is given longer to notice than it needs."""
    server = stage.servers[1]
    server.told_to_end()
    try:
        yield
    finally:
        server.ended()
        server.start()


@contextmanager
def _pulses(stage: Stage) -> Iterator[None]:
    """It stands still for most of each second, as if something computed in its event loop."""
    with _again_and_again(lambda: _pulse(stage.servers[0])):
        yield


def _pulse(server: Member) -> None:
    with server.stopped():
        time.sleep(PULSE)
    time.sleep(1 - PULSE)


@contextmanager
def _again_and_again(do: Callable[[], None]) -> Iterator[None]:
    ended = threading.Event()

    def run() -> None:
        while not ended.is_set():
            do()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _no_server(stage: Stage) -> Iterator[None]:
    for server in stage.servers:
        server.kill()
    try:
        yield
    finally:
        for server in stage.servers:
            server.start()


@contextmanager
def _nothing_delivered(stage: Stage) -> Iterator[None]:
    """The worker runs, and may not ask whose webhooks are to be delivered."""
    function = "FUNCTION claim_webhooks"
    stage.as_administrator(f"REVOKE EXECUTE ON {function} FROM PUBLIC")
    with _told_of_changes(stage, 204):
        try:
            yield
        finally:
            stage.as_administrator(f"GRANT EXECUTE ON {function} TO PUBLIC")


@contextmanager
def _broken_receiver(stage: Stage) -> Iterator[None]:
    """The only receiver answers 500, until its webhook is disabled."""
    with _told_of_changes(stage, 500):
        yield


@contextmanager
def _told_of_changes(stage: Stage, status: int) -> Iterator[None]:
    """A webhook, whose receiver answers so, and something to tell; it is removed in the end."""
    headers = {"Authorization": f"Bearer {stage.other_key}"}
    webhooks = f"{stage.servers[0].url}/v1/webhooks"
    with answering(status) as url:
        made = httpx.post(webhooks, json={"url": url}, headers=headers, timeout=30)
        assert made.status_code == 201, made.text
        names = [f"told-{number}-{time.time_ns()}" for number in range(8)]
        _post(stage.servers[0], stage.other_key, [cloud_event(name, client=name) for name in names])
        try:
            yield
        finally:
            httpx.delete(f"{webhooks}/{made.json()['webhook_id']}", headers=headers, timeout=30)


def _post(server: Member, key: str, events: list[dict[str, object]]) -> None:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": BATCH}
    answer = httpx.post(f"{server.url}/v1/events", content=as_json(events), headers=headers, timeout=30)
    assert answer.is_success, answer.text


# First what makes requests fail, then what lets assessments grow old, then what does neither: only so do the slow
# burns end before the last of them.
FAULTS: Final = (
    Fault(
        "Postgres frozen",
        (
            "PartwiseDatabaseAway",
            "PartwiseErrorBurst",
            "PartwiseAvailabilityBurnsFast",
            "PartwiseAvailabilityBurnsSlowly",
            "PartwiseIngestLatencyBurnsFast",
            "PartwiseIngestLatencyBurnsSlowly",
            "PartwiseReadLatencyBurnsFast",
            "PartwiseReadLatencyBurnsSlowly",
        ),
        _frozen,
        errs=True,
        stales=True,
    ),
    Fault(
        "a transaction locks the tables of events, and many send large batches",
        ("PartwisePoolExhausted", "PartwiseIngestRefused", "PartwiseIntakeNearlyFull"),
        _locked,
        errs=True,
        stales=True,
    ),
    Fault(
        "the right to read the audit log is revoked",
        ("PartwiseInternalErrors",),
        _forbidden_audit_log,
        errs=True,
    ),
    Fault(
        "the worker is killed",
        ("PartwiseNoWorker", "PartwiseFreshnessBurnsFast", "PartwiseFreshnessBurnsSlowly"),
        _no_worker,
        stales=True,
    ),
    Fault(
        "the right to ask who is due is revoked",
        ("PartwiseWorkerTaskStuck", "PartwiseAssessmentsStale"),
        _nothing_claimed,
        stales=True,
    ),
    Fault(
        "a transaction holds the rows of an erased client",
        ("PartwiseErasuresUnfinished",),
        _rows_held,
        errs=True,
    ),
    Fault("events of four clients are made unreadable", ("PartwiseAssessmentsFail",), _unreadable_events),
    Fault("the right to claim webhooks is revoked", ("PartwiseWebhooksLate",), _nothing_delivered),
    Fault(
        "the receiver of the only webhook answers 500",
        ("PartwiseWebhooksFail", "PartwiseWebhookDisabled"),
        _broken_receiver,
    ),
    Fault("one of two servers is killed", ("PartwiseTargetDown",), _killed),
    Fault("a server is killed as soon as it has started", ("PartwiseRestarts",), _killed_again_and_again),
    Fault("a server is told to end, and drains", ("PartwiseDrainsWithoutEnd",), _drains),
    Fault("a server stands still for 0.8 of each second", ("PartwiseEventLoopBlocked",), _pulses),
    Fault("both servers are killed", ("PartwiseNoServer",), _no_server),
)

UNPROVEN: Final[dict[str, str]] = {}
"""Alerts that no honest fault fires in a quarter of an hour, and why not; their unit tests stand for them."""
