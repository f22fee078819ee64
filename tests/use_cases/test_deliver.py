"""Delivering, in a real database and to real receivers here: order, failures, the breaker, and who owns what."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import asyncpg
import pytest

from app.composition import SystemClock
from app.core.verdict import Verdict
from app.outgoing.sender import HttpSender
from app.ports.audit import CLI
from app.ports.webhooks import Disabled, DisabledReason
from app.store.assessments import PostgresAssessments
from app.store.change_feed import PostgresChangeFeed
from app.store.change_hints import PostgresChangeHints
from app.store.change_notices import PostgresChangeNotices
from app.store.engine import make_engine
from app.store.erasures import PostgresErasures, digest_of
from app.store.outbox import PostgresOutbox
from app.store.reads import Reads
from app.store.webhooks import PostgresWebhooks
from app.use_cases import couriers
from app.use_cases.deliver import Deliver
from app.use_cases.unheard import UNHEARD
from app.wire.assessments import PackedAssessments
from app.wire.messages import JsonMessages
from app.wiring.deliveries import keys_of
from tests.postgres import Server
from tests.store.test_assessments import made
from tests.waiting import until
from tests.webhook_receivers import Receiver, Request, answering, receiving
from tests.webhook_stage import Stage

QUICK = (0.05, 0.05, 0.05)
SLOW = (600.0, 600.0)
Answer = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


class Scene:
    """A tenant whose verdicts change, and workers that deliver."""

    def __init__(self, url: str, administrator_url: str) -> None:
        self.stage = Stage(url, administrator_url)
        self.tenant = self.stage.tenant
        self._administrator_url = administrator_url.replace("+asyncpg", "")
        self.engine, self.reads = make_engine(url, 10), Reads(url, 5)
        self._notices = PostgresChangeNotices(url)
        self._assessments = PostgresAssessments(self.engine, self.reads, PackedAssessments(), self._notices.tell)
        self._hints = PostgresChangeHints(url, 0.2)
        self.outbox = PostgresOutbox(self.engine, self.reads)
        self._turns: dict[str, int] = {}

    async def change(self, *clients: int) -> None:
        """Another verdict of clients, each in a transaction of its own."""
        for number in clients:
            client = f"client-{number}"
            turn = self._turns[client] = self._turns.get(client, 0) + 1
            one = made(client, score=10.0 + 20 * (turn % 4), verdict=list(Verdict)[turn % 4], as_of=datetime.now(UTC))
            await self._assessments.keep(
                self.tenant, [replace(one, holds_until=datetime.now(UTC) + timedelta(days=300))]
            )

    @asynccontextmanager
    async def worker(self, retries: Sequence[float] = QUICK, lease: float = 10.0) -> AsyncIterator[Deliver]:
        """One that delivers for as long as the block lasts."""
        sender = HttpSender("Partwise/test", [ip_network("127.0.0.0/8")], 3)
        deliver = Deliver(
            self.outbox,
            PostgresChangeFeed(self.engine, self.reads),
            self._hints,
            sender,
            JsonMessages(),
            keys_of,
            SystemClock(),
            UNHEARD,
            retries=retries,
            lease=lease,
        )

        async def work() -> None:
            while True:
                await deliver.step()
                await asyncio.sleep(0.02)

        working = asyncio.create_task(work())
        try:
            yield deliver
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            await deliver.close()
            await sender.close()

    async def rows(self, statement: str) -> list[Any]:
        return await self.stage.rows(statement)

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self._administrator_url)
        await connection.execute(statement)
        await connection.close()

    async def states(self) -> list[str]:
        rows = await self.rows("SELECT state FROM webhook_delivery ORDER BY webhook_id, number")
        return [row["state"] for row in rows]

    async def close(self) -> None:
        await self._hints.close()
        await self._notices.close()
        await self.reads.close()
        await self.engine.dispose()


@pytest.fixture
async def scene(fresh_database_url: str, postgres: Server) -> AsyncIterator[Scene]:
    name = fresh_database_url.rpartition("/")[2]
    found = Scene(postgres.service_url(name), postgres.administrator_url(name))
    yield found
    await found.close()


def clients_of(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["data"]["client_id"] for one in receiver.got]


def ids_of(receiver: Receiver) -> list[str]:
    return [json.loads(one.body)["data"]["id"] for one in receiver.got]


def failing(times: int, status: int = 503, clients: frozenset[str] = frozenset()) -> Answer:
    """Fail so often, of these clients alone where some are named."""
    left = [times]

    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        client = json.loads(request.body)["data"].get("client_id")
        if left[0] and (not clients or client in clients):
            left[0] -= 1
            await answering(status, b"late")(request, writer)
        else:
            await answering()(request, writer)

    return answer


async def test_a_change_is_delivered_once_and_noted(scene: Scene):
    async with receiving() as there:
        await scene.stage.set([there.url], 3)
        async with scene.worker():
            await scene.change(0, 1, 2, 0)

            async def all_noted() -> bool:
                return await scene.states() == ["delivered"] * 4

            await until(all_noted)
        assert sorted(ids_of(there)) == ["1", "2", "3", "4"]
        assert len({one.headers["webhook-id"] for one in there.got}) == 4
        assert clients_of(there).index("client-0") < len(there.got) - 1
        rows = await scene.rows("SELECT number, place, message_id, payload, attempts FROM webhook_delivery ORDER BY 1")
        assert [row["number"] for row in rows] == [1, 2, 3, 4]
        assert {row["payload"] for row in rows} == {None}
        assert all(json.loads(row["attempts"])[0][1] == 204 for row in rows)
        (progress,) = await scene.rows("SELECT * FROM webhook_progress")
        assert (progress["place"], progress["beyond"], progress["owner"]) == (4, [], None)
        # Who comes next has nothing to do.
        async with scene.worker() as other:
            assert not await other.step()
        assert len(there.got) == 4


async def test_one_that_fails_holds_up_its_client_alone_and_comes_in_order(scene: Scene):
    async with receiving(failing(2, clients=frozenset({"client-0"}))) as there:
        await scene.stage.set([there.url], 2)
        async with scene.worker():
            await scene.change(0, 0, 1, 0, 1)

            async def all_noted() -> bool:
                return await scene.states() == ["delivered"] * 5

            await until(all_noted)
        mine = [one for one, client in zip(ids_of(there), clients_of(there), strict=True) if client == "client-0"]
        assert mine == ["1", "1", "1", "2", "4"]
        ids = [
            one.headers["webhook-id"]
            for one, client in zip(there.got, clients_of(there), strict=True)
            if client == "client-0"
        ]
        assert len(set(ids[:3])) == 1


async def test_what_waits_is_still_there_for_the_next_worker(scene: Scene):
    """One that failed, one behind it, and what came of others meanwhile."""
    async with receiving(failing(1, clients=frozenset({"client-0"}))) as there:
        await scene.stage.set([there.url], 2)
        async with scene.worker(SLOW):
            await scene.change(0, 0, 1)

            async def noted() -> bool:
                return sorted(await scene.states()) == ["delivered", "pending", "pending"]

            await until(noted)
        (progress,) = await scene.rows("SELECT * FROM webhook_progress")
        assert progress["place"] == 3
        waits = (progress["due_at"] - datetime.now(UTC)).total_seconds()
        assert 400 < waits < 800
        await scene.execute("UPDATE webhook_delivery SET due_at = now() WHERE due_at IS NOT NULL")
        await scene.execute("UPDATE webhook_progress SET due_at = now()")
        async with scene.worker(SLOW):

            async def all_noted() -> bool:
                return await scene.states() == ["delivered"] * 3

            await until(all_noted)
        mine = [one for one, client in zip(ids_of(there), clients_of(there), strict=True) if client == "client-0"]
        assert mine == ["1", "1", "2"]


async def test_the_breaker_opens_with_one_success(scene: Scene):
    # As many as may be under way before it opens, so that none succeeds at once.
    async with receiving(failing(10)) as there:
        await scene.stage.set([there.url], 10)
        async with scene.worker((1.0,) * 12):
            await scene.change(*range(10))

            async def is_paused() -> bool:
                return bool(
                    await scene.rows("SELECT FROM webhook_progress WHERE paused_until IS NOT NULL AND troubled")
                )

            await until(is_paused)

            async def all_noted() -> bool:
                return await scene.states() == ["delivered"] * 10

            await until(all_noted)
        (progress,) = await scene.rows("SELECT * FROM webhook_progress")
        assert (progress["failures"], progress["failing_since"], progress["paused_until"]) == (0, None, None)


async def test_one_that_is_away_is_tried_one_at_a_time(scene: Scene):
    async with receiving(failing(10_000)) as there:
        await scene.stage.set([there.url], 300)
        async with scene.worker(SLOW):
            await scene.change(*range(60))

            async def is_paused() -> bool:
                return bool(await scene.rows("SELECT FROM webhook_progress WHERE paused_until IS NOT NULL"))

            await until(is_paused)
            await scene.change(*range(60, 120))
        assert len(there.got) <= 5 + 8
        # What it is not told takes no rows: it is in the feed.
        assert len(await scene.states()) <= 8 + 5
        # And nobody claims it before its time.
        async with scene.worker(SLOW) as other:
            assert not await other.step()


@pytest.mark.parametrize("status", [410, 500])
async def test_one_that_is_gone_or_failed_for_good_is_disabled_with_notice(scene: Scene, status: int):
    async with receiving(failing(10_000, status)) as there, receiving() as other:
        await scene.stage.set([there.url, other.url], 2)
        await scene.execute(
            "UPDATE webhook SET types = '{webhook.disabled}', description = '' WHERE webhook_id = 'wh_001'"
        )
        async with scene.worker():
            await scene.change(0)

            async def is_told() -> bool:
                return len(other.got) == 1

            await until(is_told)
        told = json.loads(other.got[0].body)
        reason = "gone" if status == 410 else "failed"
        assert (told["type"], told["data"]["webhook_id"], told["data"]["reason"]) == (
            "webhook.disabled",
            "wh_000",
            reason,
        )
        assert len(there.got) == (1 if status == 410 else 4)
        (webhook,) = await scene.rows("SELECT * FROM webhook WHERE webhook_id = 'wh_000'")
        assert (webhook["state"], webhook["disabled_reason"], webhook["revision"]) == ("disabled", reason, 2)
        (entry,) = await scene.rows("SELECT * FROM audit_entry")
        assert (entry["actor"], entry["action"], entry["subject"]) == ("worker", "webhook.disabled", "webhook:wh_000")
        (delivery,) = await scene.rows("SELECT * FROM webhook_delivery WHERE webhook_id = 'wh_000'")
        assert (delivery["state"], delivery["due_at"]) == ("pending", None)
        await scene.change(1)
        async with scene.worker() as more:
            assert not await more.step() or len(there.got) <= 4


async def test_enabled_again_it_begins_with_what_had_failed(scene: Scene):
    """Nothing is lost and nothing overtakes: the delivery whose last try failed is the first one of its client."""
    async with receiving(failing(4, 500)) as there:
        await scene.stage.set([there.url], 1)
        async with scene.worker():
            await scene.change(0)

            async def disabled() -> bool:
                (webhook,) = await scene.rows("SELECT state FROM webhook")
                return bool(webhook["state"] == "disabled")

            await until(disabled)
            failed = {one.headers["webhook-id"] for one in there.got}
            assert len(there.got) == 4
            await scene.change(0, 0)
            webhooks = PostgresWebhooks(scene.engine)
            enabled = await webhooks.change(
                scene.tenant, "wh_000", lambda one: replace(one, disabled=None), datetime.now(UTC), CLI
            )
            assert enabled is not None

            async def came() -> bool:
                return await scene.states() == ["delivered"] * 3

            await until(came)
        (first,) = failed
        assert [one.headers["webhook-id"] == first for one in there.got[4:]] == [True, False, False]
        places = await scene.rows("SELECT message_id FROM webhook_delivery ORDER BY place")
        assert [one.headers["webhook-id"] for one in there.got[4:]] == [row["message_id"] for row in places]


async def test_an_erased_client_is_told_of_no_more(scene: Scene):
    """Of what waits nothing is sent, and no row of it stays."""
    async with receiving(failing(1, clients=frozenset({"client-0"}))) as there:
        await scene.stage.set([there.url], 2)
        async with scene.worker(SLOW):
            await scene.change(0, 0, 1)

            async def noted() -> bool:
                return sorted(await scene.states()) == ["delivered", "pending", "pending"]

            await until(noted)
        erasures = PostgresErasures(scene.engine)
        await erasures.begin(scene.tenant, "client-0", datetime.now(UTC))
        await scene.execute("UPDATE webhook_delivery SET due_at = now() WHERE state = 'pending'")
        await scene.execute("UPDATE webhook_progress SET due_at = now()")
        async with scene.worker(SLOW):

            async def skipped() -> bool:
                return sorted(await scene.states()) == ["delivered", "skipped", "skipped"]

            await until(skipped)
        await erasures.step(scene.tenant, digest_of("client-0"), datetime.now(UTC))
        assert await scene.states() == ["delivered"]
        assert clients_of(there).count("client-0") == 1


async def test_another_worker_takes_over_when_a_lease_ends(scene: Scene):
    """As after SIGKILL: nothing is released, and what was not noted comes again under its id."""
    async with receiving() as there:
        await scene.stage.set([there.url], 2)
        assert await scene.outbox.claim("dead", 10, 1.0) == [], "there is nothing to do"
        await scene.change(0)
        assert await scene.outbox.claim("dead", 10, 1.0) == [(scene.tenant, "wh_000")]
        async with scene.worker():

            async def came() -> bool:
                return bool(there.got)

            await until(came)
        assert await scene.outbox.renew("dead", 10) == {}


async def test_one_that_was_not_renewed_in_time_notes_nothing(scene: Scene):
    await scene.stage.set(["http://127.0.0.1:1/"], 1)
    await scene.change(0)
    assert await scene.outbox.claim("slow", 1, 0.05) == [(scene.tenant, "wh_000")]
    opened = await scene.outbox.open(scene.tenant, "wh_000", 10)
    assert opened is not None

    async def can_claim() -> bool:
        return bool(await scene.outbox.claim("quick", 1, 10))

    await until(can_claim)
    assert await scene.outbox.renew("slow", 10) == {}
    disabled = Disabled(datetime.now(UTC), DisabledReason.GONE)
    assert await scene.outbox.renew("quick", 10) == {(scene.tenant, "wh_000"): opened.asked}
    assert not await scene.outbox.disable(scene.tenant, "wh_000", "slow", disabled, lambda webhook: b"{}")
    assert [row["state"] for row in await scene.rows("SELECT state FROM webhook")] == ["enabled"]


async def test_filters_choose_and_what_passes_by_is_no_work(scene: Scene):
    async with receiving() as there, receiving() as other:
        await scene.stage.set([there.url, other.url], 4)
        await scene.execute("UPDATE webhook SET verdicts = '{part}' WHERE webhook_id = 'wh_000'")
        await scene.execute("UPDATE webhook SET sources = '{elsewhere}' WHERE webhook_id = 'wh_001'")
        async with scene.worker():
            await scene.change(0, 1, 0, 0, 0)

            async def all_seen() -> bool:
                rows = await scene.rows("SELECT FROM webhook_progress WHERE place = 5")
                return len(rows) == 2

            await until(all_seen)
        # Into `part` with the third verdict, and out of it with the fourth.
        found = [json.loads(one.body)["data"] for one in there.got]
        assert [(one["before"] and one["before"]["verdict"], one["after"]["verdict"]) for one in found] == [
            ("renegotiate", "part"),
            ("part", "keep"),
        ]
        assert other.got == []
        assert await scene.states() == ["delivered"] * 2


async def test_workers_take_turns_and_nothing_comes_twice(scene: Scene, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(couriers, "_HOLD_SECONDS", 0.1)
    async with receiving() as there:
        await scene.stage.set([there.url], 3)
        async with scene.worker(), scene.worker():
            for _ in range(20):
                await scene.change(0, 1, 2)
                await asyncio.sleep(0.05)

            async def all_noted() -> bool:
                return await scene.states() == ["delivered"] * 60

            await until(all_noted)
        assert sorted(map(int, ids_of(there))) == list(range(1, 61))
