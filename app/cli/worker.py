"""`worker`: what has to happen later. Any number may run beside any number of servers; any may be killed."""

import asyncio
import logging
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.database import tell
from app.cli.ending import ending_cleanly, until_told
from app.cli.errors import CommandError
from app.cli.operators import beside, operators_listener
from app.logs.lines import Lines, set_up
from app.ports.tracing import OFF, Tracing
from app.settings import Settings, read_settings
from app.tracing import variables
from app.tracing.start import start

if TYPE_CHECKING:
    from app.metrics.worker import WorkerMetrics
    from app.services import Services
    from app.use_cases.deliver import Deliver
    from app.use_cases.erase_clients import EraseClients

PAUSE = 0.5
"""Seconds at most between two looks while nothing is due."""
PAUSE_WITHOUT_DATABASE = 1.0
PAUSE_BETWEEN_CLAIMS = 0.25
"""Seconds at most between two looks for webhooks that nobody delivers to."""
PAUSE_BETWEEN_REMOVALS = 30.0
"""Seconds between two looks for what is kept no longer: answers, changes."""
LOOK = 15.0
"""Seconds at most between two looks how fresh all is, for those who watch."""
LOG_EVERY = 4
"""Looks, of which one is told in the log."""
STUCK = 3600.0
"""Seconds for one round of a task: no portfolio takes so long, and every statement ends within half a minute."""

_log = logging.getLogger("partwise.worker")


def worker(
    until_stdin_ends: Annotated[bool, typer.Option("--until-stdin-ends", hidden=True)] = False,
) -> None:
    """Keep the stored assessments of DATABASE_URL fresh, as events come and time passes, and finish erasures."""
    settings = read_settings()
    if not settings.database_url:
        raise CommandError("DATABASE_URL is not set; `python -m app run` has a worker of its own")
    variables.check(os.environ)
    # Beside a server that a newcomer runs, only what is amiss is worth a line.
    lines = set_up(settings.log_level or ("warning" if until_stdin_ends else "info"), settings.log_format)
    with ending_cleanly():
        if until_stdin_ends:
            # Beside a server on the same machine: who waits for an answer comes first.
            os.nice(10)
            threading.Thread(target=_end_with_stdin, daemon=True).start()
        else:
            _tell_that(lines)
        tracing = start(os.environ)
        lines.trace_by(tracing.ids)
        try:
            with operators_listener(settings) as operators, asyncio.Runner(loop_factory=_quick_loop()) as runner:
                runner.run(until_told(work(settings, operators, tracing)))
        finally:
            tracing.close()


def _quick_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """The loop that servers have, where there is one: a message of a webhook takes a quarter less of the processor."""
    if sys.platform == "win32":
        return None
    from uvloop import new_event_loop

    return new_event_loop


def _tell_that(lines: Lines) -> None:
    if lines.form == "json":
        _log.info("working")
    else:
        tell("The worker keeps assessments fresh.")


async def work(settings: Settings, operators: socket.socket | None = None, tracing: Tracing = OFF) -> None:
    """Do what is due, for ever; operators are told on a socket how it goes."""
    from app.composition import worker_for

    rounds = _Rounds()
    async with worker_for(settings, rounds.stuck, tracing) as made, beside(made.operators, operators):
        services = made.services
        reassess = services.reassess
        rounds.told = None if made.metrics is None else made.metrics.worker
        # In turn the oldest and the newest.
        newest = cycle((False, True))
        async with asyncio.TaskGroup() as group:
            for name, do, pause in (
                ("assess", lambda: reassess.assess_due(newest=next(newest)), PAUSE),
                # Beside it, for that of one tenant with many clients may take minutes.
                ("portfolio", reassess.renew_portfolio, PAUSE),
                ("deliver", made.deliver.step, PAUSE_BETWEEN_CLAIMS),
                ("erase", partial(_finish, services.erase), PAUSE),
                ("forget", partial(_forget, services, made.deliver), PAUSE_BETWEEN_REMOVALS),
                ("look", _Look(services, made.deliver, rounds.told), LOOK),
            ):
                group.create_task(_again_and_again(rounds, name, do, pause))


class _Rounds:
    """How the rounds of the tasks go."""

    def __init__(self) -> None:
        self.told: WorkerMetrics | None = None
        self._began: dict[str, float] = {}

    def begin(self, task: str) -> None:
        self._began[task] = time.monotonic()

    def end(self, task: str, outcome: str) -> None:
        if self.told is not None:
            self.told.ran(task, outcome)

    def stuck(self) -> list[str]:
        """Tasks whose round has taken longer than any should."""
        now = time.monotonic()
        return [task for task, began in self._began.items() if now - began > STUCK]


async def _again_and_again(rounds: _Rounds, task: str, do: Callable[[], Awaitable[bool]], pause: float) -> None:
    """Do something while there is anything to do, then look again after a pause."""
    from app.ports.ledger import StoreUnavailableError

    while True:
        rounds.begin(task)
        try:
            has_done = await do()
            outcome, wait = ("done", 0.0) if has_done else ("idle", pause)
        except StoreUnavailableError as error:
            _log.warning("a part of the work waits for the database", extra={"reason": str(error)})
            outcome, wait = "unavailable", max(pause, PAUSE_WITHOUT_DATABASE)
        except Exception:
            # What it was about is still due: whoever comes next may do better, and the other work goes on.
            _log.exception("a part of the work failed")
            outcome, wait = "failed", max(pause, PAUSE_WITHOUT_DATABASE)
        rounds.end(task, outcome)
        # Not all at the same moment.
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - no secret


async def _forget(services: "Services", deliver: "Deliver") -> bool:
    """What is kept no longer: answers of requests, changes, deliveries, and the days of verdict changes."""
    removed = [await services.once.remove_old(), await services.changes.remove_old(), await deliver.remove_old()]
    return await services.portfolio_metrics.fold() or any(removed)


async def _finish(erase: "EraseClients") -> bool:
    """Finish erasures; what is left then is another one's at present."""
    await erase.finish()
    return False


class _Look:
    """Looks how fresh all is, and says so in the log now and then."""

    def __init__(self, services: "Services", deliver: "Deliver", told: "WorkerMetrics | None") -> None:
        self._services = services
        self._deliver = deliver
        self._told = told
        self._rounds = cycle(range(LOG_EVERY))

    async def __call__(self) -> bool:
        found = await self._services.reassess.backlog()
        erasures = await self._services.erase.unfinished()
        await self._deliver.look()
        if self._told is not None:
            self._told.unfinished(erasures)
        if next(self._rounds) == 0:
            _log.info("clients are due", extra={"clients": found.clients, "seconds": round(found.seconds, 1)})
        return False


def _end_with_stdin() -> None:
    """Wait until whoever started us has closed our standard input, or is gone, however it went."""
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


@contextmanager
def worker_beside(settings: Settings) -> Iterator[None]:
    """Run a worker as a process of its own for as long as the block lasts.

    It is started again when it dies, and ends when this process ends, even if that is killed.
    """
    companion = _Companion(settings.database_url or "")
    thread = threading.Thread(target=companion.keep_running, daemon=True)
    thread.start()
    try:
        yield
    finally:
        companion.end()
        thread.join(20)


class _Companion:
    """A worker that is started again until it is told to end."""

    def __init__(self, database_url: str) -> None:
        # The port of operators is the server's.
        own = {name: value for name, value in os.environ.items() if name != "PARTWISE_METRICS_PORT"}
        self._environment = {**own, "DATABASE_URL": database_url}
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None

    def keep_running(self) -> None:
        """Start it, and again a second after it ended."""
        command = [sys.executable, "-m", "app", "worker", "--until-stdin-ends"]
        while not self._ended.is_set():
            with self._lock:
                if self._ended.is_set():
                    return
                # A session of its own: Ctrl-C is for us, and we tell it.
                self._process = subprocess.Popen(  # noqa: S603 - this program
                    command, stdin=subprocess.PIPE, env=self._environment, start_new_session=True
                )
            self._process.wait()
            self._ended.wait(1)

    def end(self) -> None:
        """End it now; it may be killed at any moment without harm."""
        with self._lock:
            self._ended.set()
            process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin is not None:
            process.stdin.close()
