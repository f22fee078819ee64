"""What it costs writers that changes are noted: `make bench-changes`.

python -m benchmarks.changes [--rounds N] [--seconds S] [--processes P]

First what NOTIFY costs a commit by itself. Then workers in processes of their own store assessments, each of which
changes what is told of its client, in four ways in turn:
- nothing is noted;
- changes are noted, and nobody is told;
- noted, with a NOTIFY in each transaction, as it once was;
- noted, and told after the commit by the process, as it is.

The rest is as it is in the service: the same transactions, on disk before they count. Compare ways by their ratios,
which are of rounds that lie beside each other.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from app.core.course import assessment_at
from app.core.money import Money
from app.core.policy import DEFAULT_POLICY
from app.core.portfolio import portfolio_of
from app.core.snapshot import Snapshot
from app.core.tally import tally_of
from app.core.verdict import Verdict
from app.embedded import EmbeddedPostgres
from app.ports.assessments import Made
from app.store import assessments as stored
from app.store.assessments import PostgresAssessments
from app.store.change_feed import CHANNEL, NewChange, note_changes
from app.store.change_notices import PostgresChangeNotices
from app.store.engine import make_engine
from app.store.migrate import migrate
from app.store.reads import Reads
from app.wire.assessments import PackedAssessments
from benchmarks.administrator import administrator_url

NONE: Final = "not noted"
SILENT: Final = "noted, nobody is told"
WITHIN: Final = "noted, NOTIFY within"
AFTER: Final = "noted, told after (as it is)"
WAYS: Final = (NONE, SILENT, WITHIN, AFTER)

TASKS: Final = 4
"""Transactions at once, of each process."""
CLIENTS_OF_TASK: Final = 40
CLIENTS: Final = """
    INSERT INTO client (tenant_id, client_id, created_at, revision, due_at)
    SELECT $1, name, now(), 1, 'infinity' FROM unnest($2::text[]) AS name
"""
LATER: Final = datetime(2199, 1, 1, tzinfo=UTC)
BEGAN: Final = datetime(2026, 1, 1, tzinfo=UTC)


async def _not(connection: AsyncConnection, tenant_id: str, changes: Sequence[NewChange]) -> None:
    del connection, tenant_id, changes


async def _within(connection: AsyncConnection, tenant_id: str, changes: Sequence[NewChange]) -> None:
    await note_changes(connection, tenant_id, changes)
    if not changes:
        return
    await connection.execute(text("SELECT pg_notify(:channel, :tenant)"), {"channel": CHANNEL, "tenant": tenant_id})


NOTE: Final = {NONE: _not, SILENT: note_changes, WITHIN: _within, AFTER: note_changes}


def names(process: int, task: int) -> list[str]:
    """The clients of one task, which nobody else stores."""
    return [f"c-{process}-{task}-{n}" for n in range(CLIENTS_OF_TASK)]


def work(url: str, tenants: list[str], process: int, way: str, size: int, begin: float, seconds: float) -> int:  # noqa: PLR0917
    """Store assessments from an instant on, in a process: how many in the time."""
    vars(stored)["note_changes"] = NOTE[way]
    return asyncio.run(_work(url, tenants, process, way, size, begin, seconds))


async def _work(  # noqa: PLR0917
    url: str, tenants: list[str], process: int, way: str, size: int, begin: float, seconds: float
) -> int:
    engine, reads, notices = make_engine(url, TASKS), Reads(url, 1), PostgresChangeNotices(url)
    told = notices.tell if way == AFTER else (lambda tenant_id: None)
    assessments = PostgresAssessments(engine, reads, PackedAssessments(), told)
    plain = assessment_at([], DEFAULT_POLICY, portfolio_of({}, DEFAULT_POLICY), BEGAN)
    tally = tally_of(Snapshot(plain, 0.0, {}, Money(Decimal("0.00"), "USD")))
    # Later than whatever was stored before.
    instants = count(int(time.time() * 1000))

    async def task(number: int) -> int:
        mine, chance, done = names(process, number), random.Random(), 0
        for turn in count():
            if time.time() > begin + seconds:
                return done
            as_of = BEGAN + timedelta(milliseconds=next(instants) - 1_700_000_000_000)
            # With another verdict, or in another step: all but one in forty are a change.
            new = [
                Made(
                    mine[(turn * size + n) % CLIENTS_OF_TASK],
                    1,
                    0,
                    LATER,
                    0.0,
                    replace(plain, as_of=as_of, verdict=chance.choice(list(Verdict)), score=chance.uniform(0, 100)),
                    tally,
                )
                for n in range(size)
            ]
            tenant = tenants[(process * TASKS + number + chance.randrange(len(tenants))) % len(tenants)]
            await assessments.keep(tenant, new)
            if time.time() > begin:
                done += size
        raise AssertionError("unreachable")

    await asyncio.sleep(max(begin - time.time() - 0.3, 0))
    try:
        return sum(await asyncio.gather(*(task(number) for number in range(TASKS))))
    finally:
        await notices.close()
        await reads.close()
        await engine.dispose()


async def listen(url: str, heard: list[str]) -> Any:
    """Somebody who listens, as a server does: without one NOTIFY has nobody to wake."""
    connection = await asyncpg.connect(url)
    await connection.add_listener(CHANNEL, lambda *told: heard.append(str(told[3])))
    return connection


async def fill(url: str, tenants: list[str], processes: int) -> None:
    """Make the clients."""
    connection = await asyncpg.connect(url)
    everybody = [name for process in range(processes) for task in range(TASKS) for name in names(process, task)]
    for tenant in tenants:
        await connection.execute(CLIENTS, tenant, everybody)
    await connection.execute("ANALYZE client")
    await connection.close()


@dataclass(frozen=True, slots=True)
class Case:
    """How assessments are stored: of how many tenants, how many in a transaction, and how long a flush takes at least.

    A disk of a server elsewhere takes a millisecond or more, this one perhaps none: `commit_delay` makes up for that,
    and those who commit at once share a flush, as ever.
    """

    tenants: int
    size: int
    flush: int = 0

    def __str__(self) -> str:
        whose = "one tenant" if self.tenants == 1 else f"{self.tenants} tenants"
        disk = f", {self.flush / 1000:g} ms for a flush" if self.flush else ""
        return f"{whose}, {self.size} in a transaction{disk}"


CASES: Final = (Case(1, 20), Case(50, 20), Case(50, 1), Case(50, 1, 2000), Case(1, 1, 2000))


async def commits(administrator: str, rounds: int, seconds: float) -> None:
    """What NOTIFY costs a commit, by itself: rows of one column from 16 connections, with nothing else around them."""
    admin = await asyncpg.connect(administrator)
    database = await admin.fetchval("SELECT quote_ident(current_database())")
    await admin.execute("CREATE TABLE alone (n bigint)")
    within = (
        "WITH told AS (SELECT pg_notify('partwise_changes', $1::bigint::text)) INSERT INTO alone SELECT $1 FROM told"
    )
    ways = {"no NOTIFY": (_ROW, 0.0), "NOTIFY within": (within, 0.0), "told after, every 50 ms": (_ROW, 0.05)}
    for flush in (0, 2000):
        await admin.execute(f"ALTER DATABASE {database} SET commit_delay = {flush}")
        await admin.execute(f"ALTER DATABASE {database} SET commit_siblings = {0 if flush else 5}")
        connections = [await asyncpg.connect(administrator) for _ in range(17)]
        rates: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(rounds):
            for name in (*list(ways)[turn % 3 :], *list(ways)[: turn % 3]):
                rates[name].append(await _commits(connections, *ways[name], seconds))
        for one in connections:
            await one.close()
        print(f"\ncommits alone, 16 at once{', 2 ms for a flush' if flush else ''}, in a second", flush=True)
        for name in ways:
            ratios = [one / other for one, other in zip(rates[name], rates["no NOTIFY"], strict=True)]
            print(
                f"  {name:30}{statistics.median(rates[name]):9,.0f}"
                f"{statistics.median(ratios):7.2f} of none ({min(ratios):.2f} to {max(ratios):.2f})",
                flush=True,
            )
    await admin.close()


_ROW: Final = "INSERT INTO alone VALUES ($1)"


async def _commits(connections: Sequence[Any], statement: str, pause: float, seconds: float) -> float:
    *writers, teller = connections
    ends = time.monotonic() + seconds

    async def write(connection: Any) -> int:
        done = 0
        while time.monotonic() < ends:
            await connection.execute(statement, done)
            done += 1
        return done

    async def tell() -> int:
        while pause and time.monotonic() < ends:
            await teller.execute("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, '1')", CHANNEL)
            await asyncio.sleep(pause)
        return 0

    return sum(await asyncio.gather(tell(), *map(write, writers))) / seconds


async def measure(url: str, administrator: str, options: argparse.Namespace) -> None:
    """All ways in turn, in each case."""
    processes: int = options.processes
    admin = await asyncpg.connect(administrator)
    database = await admin.fetchval("SELECT quote_ident(current_database())")
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for number, case in enumerate(CASES):
            tenants = [f"t-{number}-{n}" for n in range(case.tenants)]
            await fill(administrator, tenants, processes)
            await admin.execute(f"ALTER DATABASE {database} SET commit_delay = {case.flush}")
            await admin.execute(f"ALTER DATABASE {database} SET commit_siblings = {0 if case.flush else 5}")
            heard: list[str] = []
            listener = await listen(administrator, heard)

            async def rate(way: str, seconds: float, case: Case = case, tenants: list[str] = tenants) -> float:
                begin = time.time() + 1.0
                loop = asyncio.get_running_loop()
                parts = (
                    loop.run_in_executor(pool, work, url, tenants, process, way, case.size, begin, seconds)
                    for process in range(processes)
                )
                return sum(await asyncio.gather(*parts)) / seconds

            # Imports, and first assessments of clients, are no part of it.
            await rate(NONE, 3.0)
            rates: dict[str, list[float]] = {way: [] for way in WAYS}
            told = dict.fromkeys(WAYS, 0)
            for turn in range(options.rounds):
                # Which is first is another one each time.
                for way in (*WAYS[turn % 4 :], *WAYS[: turn % 4]):
                    heard.clear()
                    rates[way].append(await rate(way, options.seconds))
                    told[way] += len(heard)
            await listener.close()
            print(f"\n{case}; {processes * TASKS} at once, assessments in a second", flush=True)
            for way in WAYS:
                ratios = [one / other for one, other in zip(rates[way], rates[NONE], strict=True)]
                print(
                    f"  {way:30}{statistics.median(rates[way]):9,.0f}"
                    f"{statistics.median(ratios):7.2f} of not noted ({min(ratios):.2f} to {max(ratios):.2f})"
                    f"{told[way]:9,} notices",
                    flush=True,
                )
            better = [one / other for one, other in zip(rates[AFTER], rates[WITHIN], strict=True)]
            print(
                f"  told after, against NOTIFY within: {statistics.median(better):.2f} "
                f"({min(better):.2f} to {max(better):.2f})",
                flush=True,
            )
    await admin.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--processes", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="partwise-bench-") as folder:
        home = Path(folder)
        with EmbeddedPostgres(home) as postgres:
            asyncio.run(migrate(postgres.url()))
            asyncio.run(commits(administrator_url(postgres, home), options.rounds, options.seconds))
            asyncio.run(measure(postgres.service_url(), administrator_url(postgres, home), options))


if __name__ == "__main__":
    main()
