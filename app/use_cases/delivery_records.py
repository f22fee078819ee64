"""Notes what couriers hand in: together for all webhooks of a tenant, in one transaction after the other."""

import asyncio
import logging
from contextlib import suppress
from typing import Final

from app.ports.ledger import StoreUnavailableError
from app.ports.outbox import Outbox, Record
from app.use_cases.couriers import Courier
from app.use_cases.delivery_lines import Item

__all__ = ["GroupedRecords"]

_PAUSE: Final = 0.04
"""Seconds in which what is handed in is put together."""
_MOVED_SECONDS: Final = 1.0
"""After so long it is noted how far a webhook has come to which nothing was sent."""
_AGAIN_SECONDS: Final = 1.0
_REST_SECONDS: Final = 60.0

_log = logging.getLogger("partwise.webhooks")

_Handed = tuple[Courier, Item, Record]


class _Tenant:
    def __init__(self) -> None:
        self.records: list[_Handed] = []
        self.moved: set[Courier] = set()
        self.left: list[tuple[Courier, asyncio.Future[None]]] = []
        self.is_due = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    @property
    def is_empty(self) -> bool:
        return not (self.records or self.moved or self.left)


class GroupedRecords:
    """Keeps the promise of `couriers.Records`."""

    def __init__(self, outbox: Outbox, who: str) -> None:
        """Note in an outbox, as some owner."""
        self._outbox = outbox
        self._who = who
        self._tenants: dict[str, _Tenant] = {}

    def put(self, courier: Courier, item: Item, record: Record) -> None:
        """Note what became of an item, soon."""
        tenant = self._of(courier.tenant_id)
        tenant.records.append((courier, item, record))
        tenant.is_due.set()

    def moved(self, courier: Courier) -> None:
        """Note how a webhook stands, with what comes next or after a while."""
        tenant = self._of(courier.tenant_id)
        if not tenant.moved:
            asyncio.get_running_loop().call_later(_MOVED_SECONDS, tenant.is_due.set)
        tenant.moved.add(courier)

    async def leave(self, courier: Courier) -> None:
        """Note for the last time how a webhook stands; returns when that is done, or it is another one's already."""
        tenant = self._of(courier.tenant_id)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tenant.left.append((courier, done))
        tenant.is_due.set()
        await done

    async def close(self) -> None:
        """Note no more."""
        for tenant in list(self._tenants.values()):
            if tenant.task is not None:
                tenant.task.cancel()
                with suppress(asyncio.CancelledError):
                    await tenant.task
        self._tenants.clear()

    def _of(self, tenant_id: str) -> _Tenant:
        tenant = self._tenants.get(tenant_id)
        if tenant is None:
            tenant = self._tenants[tenant_id] = _Tenant()
            tenant.task = asyncio.create_task(self._note_all(tenant_id, tenant))
        return tenant

    async def _note_all(self, tenant_id: str, tenant: _Tenant) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_REST_SECONDS):
                    await tenant.is_due.wait()
            if tenant.is_empty and not tenant.is_due.is_set():
                # Whoever comes next begins anew.
                del self._tenants[tenant_id]
                return
            await asyncio.sleep(_PAUSE)
            tenant.is_due.clear()
            try:
                await self._note(tenant_id, tenant)
            except StoreUnavailableError:
                await asyncio.sleep(_AGAIN_SECONDS)
                tenant.is_due.set()
            except Exception:
                _log.exception("what was delivered could not be noted")
                await asyncio.sleep(_AGAIN_SECONDS)
                tenant.is_due.set()

    async def _note(self, tenant_id: str, tenant: _Tenant) -> None:
        # All of it at once: a standing tells of all that was handed in.
        records = [one for one in tenant.records if not one[0].is_lost]
        moved, left = tenant.moved, tenant.left
        handed = len(tenant.records)
        tenant.moved, tenant.left = set(), []
        couriers = {courier.webhook_id: courier for courier, _, _ in records}
        couriers |= {courier.webhook_id: courier for courier in moved if not courier.is_lost}
        couriers |= {courier.webhook_id: courier for courier, _ in left if not courier.is_lost}
        if couriers:
            standings = [courier.standing() for courier in couriers.values()]
            try:
                owned = await self._outbox.record(tenant_id, self._who, standings, [one for _, _, one in records])
            except BaseException:
                tenant.moved |= moved
                tenant.left = left + tenant.left
                raise
            numbers = {name: iter(some) for name, some in owned.items()}
            for courier, item, record in records:
                if courier.webhook_id in numbers:
                    courier.noted(item, next(numbers[courier.webhook_id]) if record.number is None else None)
            for name, courier in couriers.items():
                if name not in numbers:
                    _log.warning("a webhook is another worker's by now; what it was sent meanwhile is sent again")
                    courier.lose()
        del tenant.records[:handed]
        for _, done in left:
            if not done.done():
                done.set_result(None)
