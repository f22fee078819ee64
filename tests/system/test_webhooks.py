"""Webhooks by real workers: some receivers are dead, slow or fail at first, and a worker is killed in the middle."""

import asyncio
from pathlib import Path

import pytest

from tests.postgres import Server
from tests.waiting import wait_until
from tests.webhook_stage import Receivers, Stage, Workers, judged

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

CHANGES, CLIENTS = 300, 40
BEHAVIOURS = ("well", "well", "failing", "slow", "dead", "hung")


def test_every_live_receiver_has_every_change_in_order(fresh_database_url: str, postgres: Server, tmp_path: Path):
    name = fresh_database_url.rpartition("/")[2]
    stage = Stage(postgres.service_url(name), postgres.administrator_url(name))
    with Receivers(tmp_path, BEHAVIOURS) as receivers:
        asyncio.run(stage.set([receivers.url(number) for number in range(len(BEHAVIOURS))], CLIENTS))
        # What failed comes again at once, and nobody is given up.
        retries = {"PARTWISE_WEBHOOK_RETRIES": "0.3,0.6,1,60,600", "PARTWISE_WEBHOOK_TIMEOUT": "3"}
        with Workers(tmp_path, stage.url, 2, **retries).running() as workers:
            asyncio.run(stage.change(10, CLIENTS, 100))
            wait_until(lambda: receivers.counts()[0] == 10, 60)
            asyncio.run(stage.change(150, CLIENTS, 100, 10))
            workers.kill(0)
            asyncio.run(stage.change(CHANGES, CLIENTS, 100, 150))
            workers.start(0)
            receivers.be_quick()
            wait_until(lambda: all(receivers.counts()[number] == CHANGES for number in receivers.live), 60)
            # What came is noted, so that nobody sends it again.
            wait_until(lambda: asyncio.run(_noted(stage)) == CHANGES * len(receivers.live), 30)
            # Those that are away are tried now and then, one message at a time.
            wait_until(lambda: asyncio.run(_paused(stage)) == ["wh_004", "wh_005"], 30)
            wait_until(workers.are_working, 60)
            logs = workers.logs()
        changes = asyncio.run(stage.changes())
        came = receivers.end()
    assert "Traceback" not in logs, logs
    assert len(changes) == CHANGES
    assert [judged(came[number], changes) for number in receivers.live] == [[]] * len(receivers.live)
    assert came[5].requests < 30
    # At its end a worker owns nothing any more.
    assert asyncio.run(stage.owners()) == []


async def _paused(stage: Stage) -> list[str]:
    rows = await stage.rows("SELECT webhook_id FROM webhook_progress WHERE paused_until IS NOT NULL ORDER BY 1")
    return [row["webhook_id"] for row in rows]


async def _noted(stage: Stage) -> int:
    (row,) = await stage.rows("SELECT count(*) FROM webhook_delivery WHERE state = 'delivered'")
    return int(row[0])
