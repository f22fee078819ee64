"""Webhooks under trouble: python -m benchmarks.webhooks [--quick] [--changes N] [--rate N] [--seed N].

Ten thousand changes of verdicts of one tenant go to fifty webhooks, of which five are dead and five are slow, while
workers are killed (SIGKILL) at random moments and started again. In the end every receiver that lives has every change,
those of each client in order, and whatever came twice came by the same id. Then the same without the bad ones: what the
healthy ones notice of them is printed as the ratio of the 99th percentiles of the time from commit to delivery.

Of the dead ones three refuse connections and two take them and never answer. The slow ones take two seconds for each
message as long as changes come, and are quick after that, so that all of theirs can be checked too.
"""

import argparse
import asyncio
import os
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.embedded import EmbeddedPostgres
from app.store.migrate import migrate
from benchmarks.administrator import administrator_url
from tests.webhook_stage import Came, Receivers, Stage, Workers, judged

PATIENCE = 600.0
CLIENTS = 2_000
WARM = 1


@dataclass(frozen=True)
class Plan:
    """What is done."""

    changes: int
    rate: float
    healthy: int
    dead: int
    hung: int
    slow: int
    kills: int
    workers: int = 2
    clients: int = CLIENTS


FULL = Plan(10_000, 25.0, 40, 3, 2, 5, 3)
QUICK = Plan(1_000, 25.0, 8, 1, 1, 1, 1, clients=200)


@dataclass(frozen=True)
class Result:
    """What came of a run: the sorted seconds from commit to delivery at the healthy receivers."""

    lags: list[float]
    deliveries: int
    doubles: int
    took: float
    processor: float

    def percentile(self, share: float) -> float:
        return self.lags[min(int(len(self.lags) * share), len(self.lags) - 1)]

    def told(self) -> str:
        shares = ", ".join(f"p{share * 100:g} {self.percentile(share):.2f} s" for share in (0.5, 0.9, 0.99))
        each = 1000 * self.processor / self.deliveries
        return (
            f"{self.deliveries:,} deliveries in {self.took:.0f} s, {self.doubles:,} doubles; commit to delivery at the "
            f"healthy ones: {shares}, at most {self.lags[-1]:.2f} s; {each:.2f} ms of processor time of all processes "
            f"for a delivery"
        )


def run(plan: Plan, behaviours: Sequence[str], seed: int) -> Result:
    """Run a plan with some receivers.

    Raises:
        AssertionError: a promise is broken.
    """
    with tempfile.TemporaryDirectory(prefix="partwise-webhooks-") as name:
        folder = Path(name)
        with EmbeddedPostgres(folder) as postgres, Receivers(folder, behaviours) as receivers:
            asyncio.run(migrate(postgres.url()))
            stage = Stage(postgres.service_url(), administrator_url(postgres, folder))
            urls = [receivers.url(number) for number in range(len(behaviours))]
            asyncio.run(stage.set(urls, plan.clients))
            before = _processor_seconds()
            with Workers(folder, postgres.service_url(), plan.workers).running() as workers:
                # Workers take seconds to start; what is measured begins when all webhooks have an owner.
                asyncio.run(stage.change(WARM, plan.clients, plan.rate))
                _until_all_came(receivers, WARM, workers)
                began = time.monotonic()
                asyncio.run(_change_and_kill(stage, workers, plan, random.Random(seed)))
                receivers.be_quick()
                _until_all_came(receivers, plan.changes, workers)
                took = time.monotonic() - began
                logs = workers.logs()
            changes = asyncio.run(stage.changes())
            came = receivers.end()
        processor = _processor_seconds() - before
    assert "Traceback" not in logs, logs[-3000:]
    assert len(changes) == plan.changes, f"{len(changes)} changes were stored"
    live = [one for one in came if one.behaviour in ("well", "slow")]
    faults = [f"{one.behaviour}: {fault}" for one in live for fault in judged(one, changes)]
    assert not faults, faults
    lags = sorted(
        at - changes[place][1]
        for one in live
        if one.behaviour == "well"
        for place, at in one.first.items()
        if place > WARM
    )
    deliveries = sum(len(one.first) for one in live)
    return Result(lags, deliveries, _doubles(live), took, processor)


def _doubles(came: Sequence[Came]) -> int:
    return sum(one.requests - len(one.first) for one in came)


def _processor_seconds() -> float:
    """Of this process and all those that it has started and that have ended."""
    found = os.times()
    return found.user + found.system + found.children_user + found.children_system


async def _change_and_kill(stage: Stage, workers: Workers, plan: Plan, chance: random.Random) -> None:
    seconds = plan.changes / plan.rate
    moments = sorted(chance.uniform(0.1, 0.9) * seconds for _ in range(plan.kills))
    began = time.monotonic()

    async def kill() -> None:
        for number, moment in enumerate(moments):
            await asyncio.sleep(max(moment - (time.monotonic() - began), 0))
            # In turn, so that it is not always the one that has little to do.
            await asyncio.to_thread(workers.kill, number % plan.workers)
            await asyncio.sleep(chance.uniform(0.5, 3))
            workers.start(number % plan.workers)

    async with asyncio.TaskGroup() as group:
        group.create_task(stage.change(plan.changes, plan.clients, plan.rate, WARM))
        group.create_task(kill())


def _until_all_came(receivers: Receivers, changes: int, workers: Workers) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        counts = receivers.counts()
        if all(counts[number] >= changes for number in receivers.live):
            return
        assert time.monotonic() < deadline, f"{counts}\n{workers.logs()}"
        time.sleep(0.2)


def proof(plan: Plan, seed: int, ratio: float = 2.0) -> list[str]:
    """Both runs, and what they come to.

    Raises:
        AssertionError: a promise is broken.
    """
    healthy = ["well"] * plan.healthy
    bad = ["dead"] * plan.dead + ["hung"] * plan.hung + ["slow"] * plan.slow
    told = f"{plan.changes:,} changes, {plan.rate:g} a second, {plan.kills} workers killed"
    with_bad = run(plan, healthy + bad, seed)
    lines = [
        f"{told}; {plan.healthy} healthy webhooks, {plan.dead + plan.hung} dead, {plan.slow} slow: {with_bad.told()}"
    ]
    print(lines[-1], flush=True)
    without = run(plan, healthy, seed)
    lines.append(f"{told}; the {plan.healthy} healthy ones alone: {without.told()}")
    print(lines[-1], flush=True)
    found = with_bad.percentile(0.99) / without.percentile(0.99)
    lines.append(
        f"p99 with the bad ones is {found:.2f} times that without, p50 "
        f"{with_bad.percentile(0.5) / without.percentile(0.5):.2f} times"
    )
    print(lines[-1], flush=True)
    assert found <= ratio, f"the bad ones are noticed: {found:.2f}"
    return lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.webhooks")
    parser.add_argument("--quick", action="store_true", help="a small form, to try it out")
    parser.add_argument("--changes", type=int, help="how many")
    parser.add_argument("--rate", type=float, help="changes a second; less than the machine can deliver")
    parser.add_argument("--seed", type=int, default=1, help="of the moments in which workers are killed")
    given = parser.parse_args()
    chosen = QUICK if given.quick else FULL
    chosen = replace(chosen, changes=given.changes or chosen.changes, rate=given.rate or chosen.rate)
    proof(chosen, given.seed)
