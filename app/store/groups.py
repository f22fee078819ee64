"""Appends of one tenant that would wait for each other: those that wait become one transaction.

All batches of a tenant may have clients in common, whose rows one holds until it is durable. So more than a few at once
only wait; together they are one commit, and touch each client once.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Final

from app.ports.ledger import NewEvent, Outcome, StoreBusyError, StoreUnavailableError

__all__ = ["AT_ONCE", "GroupedAppends"]

AT_ONCE: Final = 2
"""Transactions of a tenant at once: while one holds its clients, the next one stores its events."""
_MOST_EVENTS: Final = 2_000
"""Of a transaction that is made of several."""


@dataclass(eq=False, slots=True)
class _Waiting:
    """One that waits, and its answer."""

    events: Sequence[NewEvent]
    answer: "asyncio.Future[list[Outcome]]"
    context: Context
    """What it is a part of: the request, and the trace."""


@dataclass(slots=True)
class _Line:
    """What there is of one tenant."""

    running: int = 0
    waiting: deque[_Waiting] = field(default_factory=deque)


class GroupedAppends:
    """Appends as they come while there are few, and in groups where they would wait."""

    def __init__(self, append: Callable[[str, Sequence[NewEvent]], Awaitable[list[Outcome]]], patience: float) -> None:
        """Append by a function that keeps the promise of `app.ports.ledger.Ledger.append`, events each on its own.

        Args:
            append: what is called.
            patience: seconds that one waits for its group to begin.
        """
        self._append = append
        self._patience = patience
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __call__(self, tenant_id: str, events: Sequence[NewEvent]) -> list[Outcome]:
        """Store events; see the port.

        Raises:
            StoreBusyError: those before it take too long; nothing was stored.
            StoreUnavailableError: the database is away.
        """
        line = self._lines.setdefault(tenant_id, _Line())
        if line.running >= AT_ONCE:
            return await self._wait(line, events)
        line.running += 1
        try:
            return await self._append(tenant_id, events)
        finally:
            self._go_on(tenant_id, line)

    async def _wait(self, line: _Line, events: Sequence[NewEvent]) -> list[Outcome]:
        one = _Waiting(events, asyncio.get_running_loop().create_future(), copy_context())
        line.waiting.append(one)
        try:
            done, _ = await asyncio.wait((one.answer,), timeout=self._patience)
            if not done and one in line.waiting:
                raise StoreBusyError("events before these are not written yet; send these again later")
            return await one.answer
        finally:
            if not one.answer.done():
                # Nobody waits for it any more.
                one.answer.cancel()
                if one in line.waiting:
                    line.waiting.remove(one)

    def _go_on(self, tenant_id: str, line: _Line) -> None:
        """Begin with those that wait, as one of those that ran has ended."""
        group: list[_Waiting] = []
        size = 0
        while line.waiting and (not group or size + len(line.waiting[0].events) <= _MOST_EVENTS):
            group.append(line.waiting.popleft())
            size += len(group[-1].events)
        if group:
            # It is a part of what the first of them is for, not of what has just ended.
            task = asyncio.create_task(self._run(tenant_id, line, group), context=group[0].context)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        line.running -= 1
        if not line.running:
            del self._lines[tenant_id]

    async def _run(self, tenant_id: str, line: _Line, group: Sequence[_Waiting]) -> None:
        try:
            await self._together(tenant_id, group)
        finally:
            self._go_on(tenant_id, line)

    async def _together(self, tenant_id: str, group: Sequence[_Waiting]) -> None:
        events = group[0].events if len(group) == 1 else [event for one in group for event in one.events]
        try:
            outcomes = await self._append(tenant_id, events)
        except Exception as error:
            if len(group) == 1 or isinstance(error, StoreUnavailableError):
                for one in group:
                    _fail(one, error)
                return
            # Whatever is wrong with one must not be the others' fault.
            for one in group:
                await self._together(tenant_id, [one])
        except BaseException:
            for one in group:
                one.answer.cancel()
            raise
        else:
            left = iter(outcomes)
            for one in group:
                answer = [next(left) for _ in one.events]
                if not one.answer.done():
                    one.answer.set_result(answer)


def _fail(one: _Waiting, error: Exception) -> None:
    if not one.answer.done():
        one.answer.set_exception(error)
