"""A courier delivers what one webhook is to be told, for as long as this process owns it.

What it has in hand is the feed after the webhook's place, and the deliveries that are pending. Those of one client go
out one at a time, each when the one before was taken; those of different clients side by side. Whatever is not noted
when it ends is still in the feed: whoever comes next sends it, again perhaps, under the same id.
"""

import asyncio
import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Protocol

from app.ports.outbox import Opened, Pending, Record, Standing
from app.ports.sending import Message, Sent
from app.ports.webhooks import KEPT_ATTEMPTS, DeliveryState, Disabled, DisabledReason, MessageType, Webhook
from app.use_cases.delivery_lines import Item, Line, Lines
from app.use_cases.delivery_standings import Health, Places
from app.use_cases.feed_tails import Noted
from app.use_cases.schedule import delay_before

if TYPE_CHECKING:
    from app.use_cases.deliver import Tools

__all__ = ["Courier", "Records", "Rooms"]

AT_ONCE: Final = 8
"""Messages to one webhook that are under way at once."""
WINDOW: Final = 256
"""Deliveries of one webhook that a courier has in hand at most."""
_MOST_BEYOND: Final = 2_000
_FRESH_SECONDS: Final = 2.0
"""For how long it is taken that what was read is still told."""
_NOTED_SECONDS: Final = 0.05
_HOLD_SECONDS: Final = 300.0
"""For so long at most a worker has a webhook at a stretch, if there is a moment in which nothing is in hand."""
_IDLE_SECONDS: Final = 15.0
"""Without anything to do for so long a webhook is given up, until there is something."""
_GONE: Final = 410

_log = logging.getLogger("partwise.webhooks")


class Records(Protocol):
    """Takes what is to be noted; see `delivery_records`."""

    def put(self, courier: "Courier", item: Item, record: Record) -> None:
        """Note what became of an item, soon, and tell the courier when it is done."""
        ...

    def moved(self, courier: "Courier") -> None:
        """Note how a webhook stands, some time."""
        ...

    async def leave(self, courier: "Courier") -> None:
        """Note for the last time how a webhook stands."""
        ...


class Rooms(Protocol):
    """Sends when there is room; see `deliver`."""

    async def send(self, courier: "Courier", url: str, message: Message, keys: Sequence[bytes]) -> Sent:
        """Try once."""
        ...


class Courier:
    """Delivers to one webhook."""

    def __init__(self, tenant_id: str, webhook_id: str, tools: "Tools") -> None:
        """Deliver with some tools; nothing begins yet."""
        self.tenant_id = tenant_id
        self.webhook_id = webhook_id
        self.asked = 0
        self.is_lost = False
        """Whether another process may own it by now: nothing is sent or noted any more."""
        self.is_ending = False
        self.is_leaving = False
        """Whether it may be another one's as soon as its standing is noted."""
        self._tools = tools
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()
        self._quieter = asyncio.Event()
        self._checking = asyncio.Lock()
        self._is_listening = False
        self._leaves_at = self._loop.time() + _HOLD_SECONDS * random.uniform(0.5, 1)  # noqa: S311 - no secret
        self._clear()

    def _clear(self) -> None:
        self._lines = Lines()
        self._places = Places(0, ())
        self._health = Health()
        self._lanes = 0
        self._held = 0
        """Items in hand: in a line, or not noted yet."""
        self._unnoted = 0
        self._pending = 0
        """Items in hand that are noted as pending."""
        self._delivered_at: datetime | None = None
        self._disabling: Disabled | None = None
        self._has_more = False
        self._is_stale = False
        self._fault: BaseException | None = None
        self._idle_since = self._loop.time()
        self._ends_at: float | None = None

    def wake(self) -> None:
        """Look what there is to do."""
        self._woken.set()

    def lose(self) -> None:
        """It may be another one's by now."""
        self.is_lost = True
        self._woken.set()

    def end(self) -> None:
        """Begin nothing any more."""
        self.is_ending = True
        self._woken.set()

    def slowed(self) -> None:
        """The receiver takes long."""
        self._health.slowed()

    def look_anew(self) -> None:
        """Somebody else has changed something."""
        self._is_stale = True
        self._woken.set()

    @property
    def is_troubled(self) -> bool:
        """Whether its receiver fails or is slow."""
        return self._health.is_troubled

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way."""
        return self._lanes == 0 and self._unnoted == 0

    async def is_settled(self, deadline: float) -> bool:
        """Wait until nothing is under way, until a deadline by the loop's clock; whether it came to that."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(deadline):
                while not self.is_quiet:
                    self._quieter.clear()
                    await self._quieter.wait()
        return self.is_quiet

    async def run(self) -> None:
        """Deliver until there is nothing to do for a while, or it is lost or disabled."""
        try:
            while not (self.is_lost or self.is_ending):
                opened = await self._tools.outbox.open(self.tenant_id, self.webhook_id, WINDOW)
                if opened is None:
                    return
                self._begin(opened)
                if not await self._serve():
                    return
        finally:
            if self._is_listening:
                self._tools.tails.leave(self.tenant_id, self.wake)

    def standing(self) -> Standing:
        """How it stands, with all that was handed in to be noted."""
        place, beyond = self._places.settled()
        paused_until = self._health.paused_until
        return Standing(
            self.webhook_id,
            self.asked,
            place,
            beyond,
            self._next_due(),
            self._health.failures,
            self._health.failing_since,
            None if paused_until is None else self._instant(paused_until),
            self.is_troubled,
            self._delivered_at,
            self.is_leaving,
        )

    def noted(self, item: Item, number: int | None) -> None:
        """An item was noted, with a number where it had none."""
        if number is not None:
            item.number = number
        self._unnoted -= 1
        if item.message is None:
            self._held -= 1
        self._woken.set()
        self._quieter.set()

    # ------------------------------------------------------------------------------------------------ beginning

    def _begin(self, opened: Opened) -> None:
        self._clear()
        now, instant = self._loop.time(), self._tools.clock.now()
        self._webhook: Webhook = opened.webhook
        self._keys = self._tools.keys_of(opened.secrets)
        if opened.secrets_end is not None:
            self._ends_at = now + (opened.secrets_end - instant).total_seconds()
        self.asked = opened.asked
        self._places = Places(opened.place, opened.beyond)
        paused = None if opened.paused_until is None else now + (opened.paused_until - instant).total_seconds()
        self._health = Health(opened.failures, opened.failing_since, paused)
        self._has_more = opened.has_more
        for one in opened.pending:
            self._add(self._pending_item(one, now), one, now, instant)
        if not self._is_listening:
            self._is_listening = True
            self._tools.tails.listen(self.tenant_id, opened.place, self.wake)

    def _pending_item(self, one: Pending, now: float) -> Item:
        body = one.payload
        if body is None and one.change is not None:
            body = self._tools.form.changed(one.change)
        message = None if body is None else Message(one.message_id, body)
        changed_at = None if one.change is None else one.change.at
        place = None if one.change is None else one.change.place
        item = Item(one.message_id, one.type, message, place, one.client_id, changed_at, one.created_at, now)
        item.number, item.tries, item.attempts, item.is_noted = one.number, one.tries, one.attempts, True
        self._pending += 1
        return item

    def _add(self, item: Item, one: Pending, now: float, instant: datetime) -> None:
        if item.message is None:
            # The change that it tells of is not kept any more.
            self._held += 1
            self._note(item, DeliveryState.SKIPPED, None)
            return
        line = self._line_of(item)
        if len(line.items) == 1:
            waits = 0.0 if one.due_at is None else (one.due_at - instant).total_seconds()
            line.has_failed = item.tries > 0
            self._lines.wait(line, now + max(waits, 0.0))

    def _line_of(self, item: Item) -> Line:
        self._held += 1
        return self._lines.put(item)

    # -------------------------------------------------------------------------------------------------- serving

    async def _serve(self) -> bool:
        """Whether to open it anew; else it is over."""
        while True:
            self._woken.clear()
            if self._fault is not None:
                raise self._fault
            if self.is_lost:
                return False
            if self._ends_at is not None and self._loop.time() >= self._ends_at:
                self._is_stale = True
            if self._disabling is not None or self._is_stale or self.is_ending:
                if self.is_quiet:
                    return await self._stopped()
            else:
                await self._fill()
                self._start()
                if self._has_more and not self._lines and self.is_quiet:
                    return True
                if self._is_idle() or self._has_had_enough():
                    self.is_leaving = True
                    await self._tools.records.leave(self)
                    return False
            await self._wait_for_something()

    async def _stopped(self) -> bool:
        if self._disabling is None:
            return not self.is_ending
        disabled = self._disabling
        form = self._tools.form
        if await self._tools.outbox.disable(
            self.tenant_id,
            self.webhook_id,
            self._tools.who,
            disabled,
            lambda webhook: form.disabled(webhook.webhook_id, webhook.url, disabled),
        ):
            self._tools.told.disabled(disabled.reason)
            _log.warning("a webhook was disabled", extra={"reason": disabled.reason.value})
        return False

    async def _wait_for_something(self) -> None:
        now = self._loop.time()
        until = now + 5.0
        soonest = self._lines.next_timer if self._health.paused_until is None else self._health.paused_until
        if soonest is not None:
            until = min(until, soonest)
        if self._ends_at is not None:
            until = min(until, self._ends_at)
        if self._woken.is_set():
            return
        timer = self._loop.call_later(max(until - now, 0.01), self._woken.set)
        try:
            await self._woken.wait()
        finally:
            timer.cancel()

    def _is_idle(self) -> bool:
        """Nothing is under way, nothing comes soon, and that for a while."""
        now = self._loop.time()
        if not self.is_quiet or not self._may_release():
            self._idle_since = now
            return False
        return now - self._idle_since >= _IDLE_SECONDS

    def _has_had_enough(self) -> bool:
        """It is another worker's turn, and nothing is in hand: so one that came later has its share after a while."""
        return self._loop.time() >= self._leaves_at and not self._lines and self._may_release()

    def _may_release(self) -> bool:
        if not self.is_quiet:
            return False
        soon = self._loop.time() + _IDLE_SECONDS
        if self._health.paused_until is not None:
            return self._health.paused_until > soon
        return not (self._has_more or self._lines.is_due_by(soon))

    async def _fill(self) -> None:
        """Take changes from the feed, as many as there is room for."""
        while (
            not self._has_more
            and self._health.paused_until is None
            and self._held <= WINDOW // 2
            and self._places.count_beyond <= _MOST_BEYOND
        ):
            found, place = await self._tools.tails.after(self.tenant_id, self._places.read, WINDOW - self._held)
            if place == self._places.read:
                return
            await self._take([one for one in found if not self._places.was_settled(one.change.place)])
            self._places.read = place
            if self._places.are_all_settled:
                self._tools.records.moved(self)

    async def _take(self, found: Sequence[Noted]) -> None:
        wanted = self._webhook.wanted
        passing = [one for one in found if wanted.allows(one.change)]
        if passing and wanted.sources:
            clients = {one.change.client_id for one in passing}
            having = await self._tools.outbox.from_sources(self.tenant_id, sorted(clients), wanted.sources)
            passing = [one for one in passing if one.change.client_id in having]
        if not passing:
            return
        instant = self._tools.clock.now()
        for one in passing:
            change = one.change
            item = Item(
                one.message.message_id,
                MessageType.CHANGED,
                one.message,
                change.place,
                change.client_id,
                change.at,
                instant,
                one.read_at,
            )
            self._places.open(change.place)
            line = self._line_of(item)
            if line.has_failed:
                self._note(item, DeliveryState.PENDING, None)
            elif len(line.items) == 1:
                self._lines.ready(line)

    # -------------------------------------------------------------------------------------------------- sending

    def _start(self) -> None:
        now = self._loop.time()
        ready = self._lines.ripen(now)
        if self._health.paused_until is not None:
            if self._lanes == 0 and now >= self._health.paused_until and self._lines:
                self._lane()
            return
        for _ in range(min(AT_ONCE - self._lanes, ready)):
            self._lane()

    def _lane(self) -> None:
        self._lanes += 1
        self._tools.spawn(self._send_on())

    async def _send_on(self) -> None:
        """Send one after the other while there is any."""
        try:
            while (line := self._next()) is not None:
                line.is_flying = True
                try:
                    await self._send_first(line)
                finally:
                    line.is_flying = False
        except Exception as error:
            self._fault = error
        finally:
            self._lanes -= 1
            self._woken.set()
            self._quieter.set()

    def _next(self) -> Line | None:
        if self.is_lost or self.is_ending or self._is_stale or self._disabling is not None or self._fault is not None:
            return None
        now = self._loop.time()
        if self._health.paused_until is not None:
            if now < self._health.paused_until or self._lanes > 1:
                return None
            return self._lines.oldest
        return self._lines.take(now)

    async def _send_first(self, line: Line) -> None:
        item = line.items[0]
        if item.is_being_noted:
            # Its last try is still being noted.
            self._lines.wait(line, self._loop.time() + _NOTED_SECONDS)
            return
        if item.place is not None and self._is_old(item):
            async with self._checking:
                # Another one may have looked meanwhile.
                if self._is_old(item):
                    await self._check(line)
            if not line.items or line.items[0] is not item:
                self._go_on(line)
                return
        if not self._tools.may_send():
            # The lease is nearly over, and could not be renewed: nothing is lost by waiting.
            self._lines.wait(line, self._loop.time() + 1.0)
            return
        assert item.message is not None
        sent = await self._tools.rooms.send(self, self._webhook.url, item.message, self._keys)
        if not self.is_lost:
            self._came(line, item, sent)

    def _is_old(self, item: Item) -> bool:
        return self._loop.time() - item.checked_at > _FRESH_SECONDS

    async def _check(self, mine: Line) -> None:
        """Let go of what is not told any more: clients may be erased meanwhile."""
        items = [
            (line, item)
            for line in self._lines
            for item in line.items
            if item.place is not None
            # What is under way comes to an end of its own, and what is being noted is looked at after that.
            and not (line.is_flying and line is not mine and item is line.items[0])
            and not item.is_being_noted
        ]
        now = self._loop.time()
        told = await self._tools.outbox.told(self.tenant_id, [item.place for _, item in items if item.place])
        for line, item in items:
            if item.place in told:
                item.checked_at = now
            elif item in line.items and not (line.is_flying and line is not mine and item is line.items[0]):
                self._let_go(line, item)

    def _let_go(self, line: Line, item: Item) -> None:
        line.items.remove(item)
        if not line.is_flying:
            self._lines.leave(line)
        if item.is_noted:
            self._note(item, DeliveryState.SKIPPED, None)
            return
        self._held -= 1
        self._places.settle(item.place)
        self._tools.records.moved(self)

    def _came(self, line: Line, item: Item, sent: Sent) -> None:
        attempt = sent.attempt
        item.tries += 1
        item.attempts = [*item.attempts, attempt][-KEPT_ATTEMPTS:]
        self._health.took(attempt.milliseconds)
        now = self._loop.time()
        if attempt.was_taken:
            self._tools.told.tried("delivered")
            self._delivered_at = attempt.at
            if item.changed_at is not None:
                done = attempt.at + timedelta(milliseconds=attempt.milliseconds)
                self._tools.told.delivered((done - item.changed_at).total_seconds())
            if line.items and line.items[0] is item:
                line.items.popleft()
            line.has_failed = False
            self._note(item, DeliveryState.DELIVERED, None)
            if self._health.recovered():
                self._lines.rouse(now)
                self._woken.set()
            self._go_on(line)
            return
        self._tools.told.tried(attempt.error or f"{str(attempt.status)[0]}xx")
        is_to_be_paused = self._health.failed(attempt.at)
        delay = delay_before(item.tries, self._tools.retries, sent.again_after)
        is_gone = attempt.status == _GONE
        if delay is None or is_gone:
            # It stays the first one of its client: nothing is lost, should the webhook be enabled again.
            self._note(item, DeliveryState.PENDING, None)
            reason = DisabledReason.GONE if is_gone else DisabledReason.FAILED
            self._disabling = Disabled(self._tools.clock.now(), reason)
            self._woken.set()
            return
        line.has_failed = True
        self._lines.wait(line, now + delay)
        self._note(item, DeliveryState.PENDING, now + delay)
        for behind in line.items:
            if behind is not item and not behind.is_noted:
                self._note(behind, DeliveryState.PENDING, None)
        if is_to_be_paused:
            # One try at a time from now on, of the oldest, when it is due.
            self._health.paused_until = max(self._lines.oldest_of(line).due, now)

    def _go_on(self, line: Line) -> None:
        if not line.items:
            self._lines.leave(line)
            if self._held <= WINDOW // 2:
                self._woken.set()
            return
        line.due = 0.0
        self._lines.ready(line)

    # --------------------------------------------------------------------------------------------------- noting

    def _note(self, item: Item, state: DeliveryState, due: float | None) -> None:
        """Hand in what became of an item; from then on its place is settled."""
        is_over = state is not DeliveryState.PENDING
        if item.is_noted and is_over:
            self._pending -= 1
        elif not item.is_noted and not is_over:
            self._pending += 1
        item.is_noted = True
        self._unnoted += 1
        self._places.settle(item.place)
        record = Record(
            self.webhook_id,
            item.number,
            item.message_id,
            item.type,
            item.place,
            item.client_id,
            state,
            item.tries,
            item.attempts,
            None if due is None else self._instant(due),
            item.created_at,
            self._tools.clock.now() if is_over else None,
        )
        if is_over:
            item.message = None
        self._tools.records.put(self, item, record)

    def _next_due(self) -> datetime | None:
        """When somebody is to look, should this one be gone; what is not noted is in the feed."""
        if self._has_more:
            return self._tools.clock.now()
        if not self._pending:
            return None
        due = self._lines.next_noted if self._health.paused_until is None else self._health.paused_until
        return None if due is None else self._instant(due)

    def _instant(self, at: float) -> datetime:
        return self._tools.clock.now() + timedelta(seconds=at - self._loop.time())
