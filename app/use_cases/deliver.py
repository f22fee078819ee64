"""Deliver webhooks: claim those with something to do, and have couriers deliver to them."""

import asyncio
import logging
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from app.ports.changes import ChangeFeed, ChangeHints
from app.ports.clock import Clock
from app.ports.ledger import StoreUnavailableError
from app.ports.outbox import Figure, Outbox
from app.ports.sending import Message, Sender, Sent
from app.ports.webhooks import DisabledReason
from app.use_cases.couriers import Courier, Records, Rooms
from app.use_cases.delivery_records import GroupedRecords
from app.use_cases.fairness import ACTING_FOR
from app.use_cases.feed_tails import Tails
from app.use_cases.messages import MessageFormat
from app.use_cases.schedule import RETRIES

__all__ = ["Deliver", "Deliveries", "Tools"]

LEASE: Final = 10.0
"""Seconds after which the webhooks of a worker that has died are another one's."""
_RENEW_SECONDS: Final = 2.5
_MARGIN: Final = 2.0
"""Seconds before a lease ends in which nothing is sent any more."""
_BITE: Final = 4
"""Webhooks that are claimed at once at least: others are to have some, too."""
_BITE_SECONDS: Final = 0.2
"""After which more are claimed."""
_MOST: Final = 1_000
"""Webhooks of one worker."""
_OLD: Final = 5_000
_GRACE: Final = 5.0
"""Seconds that what is under way has when the worker ends."""
_AGAIN_SECONDS: Final = 2.0
_PATIENT: Final = 2.0
"""Seconds after which a try is taken out of the room of the healthy."""

_log = logging.getLogger("partwise.webhooks")


class Deliveries(Protocol):
    """Is told how it goes, for metrics."""

    def tried(self, outcome: str) -> None:
        """A message was tried: `delivered`, the class of a status, or the kind of an error."""
        ...

    def delivered(self, seconds: float) -> None:
        """A change was delivered so long after it was stored."""
        ...

    def disabled(self, reason: DisabledReason) -> None:
        """A webhook was disabled by us."""
        ...

    def stand(self, figures: Sequence[Figure]) -> None:
        """How all webhooks do."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """What couriers work with; see `Deliver`."""

    who: str
    outbox: Outbox
    tails: Tails
    records: Records
    rooms: Rooms
    form: MessageFormat
    clock: Clock
    told: Deliveries
    retries: Sequence[float]
    keys_of: Callable[[Sequence[str]], Sequence[bytes]]
    may_send: Callable[[], bool]
    spawn: Callable[[Coroutine[Any, Any, None]], None]


class _TwoRooms:
    """How many messages are under way at once: those to receivers in trouble have a room of their own.

    Who takes long leaves the room of the healthy, whoever it was at first: his webhook is in trouble from then on, and
    has no more under way than any webhook may have.
    """

    def __init__(self, sender: Sender, most: int) -> None:
        self._sender = sender
        self._healthy = asyncio.Semaphore(most)
        self._troubled = asyncio.Semaphore(max(most // 4, 1))

    async def send(self, courier: Courier, url: str, message: Message, keys: Sequence[bytes]) -> Sent:
        if courier.is_troubled:
            async with self._troubled:
                return await self._sender.send(url, message, keys)
        await self._healthy.acquire()
        is_inside = True

        def leave() -> None:
            nonlocal is_inside
            if is_inside:
                is_inside = False
                self._healthy.release()

        def is_slow() -> None:
            courier.slowed()
            leave()

        timer = asyncio.get_running_loop().call_later(_PATIENT, is_slow)
        try:
            return await self._sender.send(url, message, keys)
        finally:
            timer.cancel()
            leave()


class Deliver:
    """Has webhooks delivered, any number of workers at once; each of them may be killed at any moment.

    A webhook has one owner at a time. What its owner has not noted when it dies is sent again by the next one, under
    the same ids: at least once, and the first time in order.
    """

    def __init__(  # noqa: PLR0917 - what it is made of
        self,
        outbox: Outbox,
        feed: ChangeFeed,
        hints: ChangeHints,
        sender: Sender,
        form: MessageFormat,
        keys_of: Callable[[Sequence[str]], Sequence[bytes]],
        clock: Clock,
        told: Deliveries,
        *,
        retries: Sequence[float] = RETRIES,
        connections: int = 200,
        keep_days: int = 7,
        lease: float = LEASE,
    ) -> None:
        """Deliver.

        Args:
            outbox: what is to be done, and what was.
            feed: what is told.
            hints: say when to look into the feed.
            sender: sends.
            form: makes messages.
            keys_of: makes keys of secrets.
            clock: tells the time.
            told: is told how it goes.
            retries: seconds before each try after the first.
            connections: messages under way at once, those to receivers in trouble aside.
            keep_days: for how long deliveries are kept that have ended.
            lease: seconds for which webhooks are owned.
        """
        self._outbox = outbox
        self._keep_days = keep_days
        self._lease = lease
        self._told = told
        self._who = uuid.uuid4().hex
        self._tasks: set[asyncio.Task[None]] = set()
        self._couriers: dict[tuple[str, str], Courier] = {}
        self._renewed_at = float("-inf")
        self._tails = Tails(feed, hints, form)
        self._records = GroupedRecords(outbox, self._who)
        self._tools = Tools(
            who=self._who,
            outbox=outbox,
            tails=self._tails,
            records=self._records,
            rooms=_TwoRooms(sender, connections),
            form=form,
            clock=clock,
            told=told,
            retries=retries,
            keys_of=keys_of,
            may_send=self._may_send,
            spawn=self._spawn,
        )

    async def step(self) -> bool:
        """Stay the owner of what is being delivered, and claim something if there is anything; whether there was.

        To be called again and again, more often than a lease lasts.
        """
        now = asyncio.get_running_loop().time()
        if self._couriers and now - self._renewed_at >= min(_RENEW_SECONDS, self._lease / 4):
            await self._renew(now)
        if len(self._couriers) >= _MOST:
            return False
        bite = max(_BITE, len(self._couriers) // 4)
        claimed = await self._outbox.claim(self._who, bite, self._lease)
        if claimed and not self._couriers:
            self._renewed_at = now
        for key in claimed:
            former = self._couriers.pop(key, None)
            if former is not None:
                # It was ours, and nobody's for a while.
                former.lose()
            self._begin(key)
        if claimed:
            await asyncio.sleep(_BITE_SECONDS)
        return bool(claimed)

    async def look(self) -> None:
        """Tell how all webhooks do."""
        self._told.stand(await self._outbox.figures())

    async def remove_old(self) -> bool:
        """Remove some deliveries that ended long ago, of all tenants; whether there were any."""
        return await self._outbox.remove_old(self._keep_days, _OLD) > 0

    async def close(self) -> None:
        """Finish what is under way, if it does not take long, note it, and own nothing any more."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _GRACE
        couriers = list(self._couriers.values())
        for courier in couriers:
            courier.end()
        for courier in couriers:
            await courier.is_settled(deadline)
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._records.close()
        await self._tails.close()
        with suppress(StoreUnavailableError):
            await self._outbox.release(self._who)

    async def _renew(self, now: float) -> None:
        had = dict(self._couriers)
        owned = await self._outbox.renew(self._who, self._lease)
        self._renewed_at = now
        lost = [courier for key, courier in had.items() if key not in owned and not courier.is_lost]
        if lost:
            _log.warning("%d webhooks are not ours any more: they were not renewed in time, or are gone", len(lost))
        for courier in lost:
            courier.lose()
        for key, courier in had.items():
            if key in owned and owned[key] != courier.asked:
                courier.look_anew()
        for key in owned:
            if key not in had and key not in self._couriers:
                self._begin(key)

    def _begin(self, key: tuple[str, str]) -> None:
        courier = self._couriers[key] = Courier(*key, self._tools)
        self._spawn(self._run(courier))

    def _may_send(self) -> bool:
        return asyncio.get_running_loop().time() < self._renewed_at + self._lease - _MARGIN

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, courier: Courier) -> None:
        # Of this task, and of those that it starts.
        ACTING_FOR.set(courier.tenant_id)
        try:
            try:
                await courier.run()
            except StoreUnavailableError as error:
                _log.warning("deliveries wait for the database", extra={"reason": str(error)})
                await asyncio.sleep(_AGAIN_SECONDS)
            except Exception:
                # Nothing is lost: whoever comes next begins where this one has noted that it was.
                _log.exception("a webhook could not be delivered to")
                await asyncio.sleep(_AGAIN_SECONDS)
            if not (courier.is_lost or courier.is_leaving or courier.is_ending):
                courier.lose()
                with suppress(StoreUnavailableError):
                    await self._outbox.give_up(courier.tenant_id, courier.webhook_id, self._who)
        finally:
            courier.lose()
            if self._couriers.get((courier.tenant_id, courier.webhook_id)) is courier:
                del self._couriers[courier.tenant_id, courier.webhook_id]
