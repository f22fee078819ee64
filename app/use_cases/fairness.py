"""Turns that go round between tenants: whoever asks for much waits for itself, not others for it."""

import asyncio
import threading
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from time import perf_counter
from typing import Any, Final, ParamSpec, TypeVar

from app.ports.tracing import OFF, Tracing

__all__ = ["ACTING_FOR", "FairThreads", "Turns", "acting_for"]

P = ParamSpec("P")
T = TypeVar("T")

ACTING_FOR: Final[ContextVar[str]] = ContextVar("acting_for", default="")
"""The tenant for whom the present task works; empty for nobody's."""


@contextmanager
def acting_for(tenant_id: str) -> Iterator[None]:
    """Work for a tenant for as long as the block lasts."""
    before = ACTING_FOR.set(tenant_id)
    try:
        yield
    finally:
        ACTING_FOR.reset(before)


class Turns:
    """So many may do something at once; who waits is let in tenant by tenant."""

    def __init__(self, turns: int, kept_free: int = 0) -> None:
        """Give turns, of which one tenant never has the last few."""
        self._left = turns
        self._most = max(1, turns - kept_free)
        self._having: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, tenant_id: str, patience: float) -> AsyncIterator[None]:
        """Wait for a turn, and have it for as long as the block lasts.

        Raises:
            TimeoutError: it did not come in time.
        """
        await self._acquire(tenant_id, patience)
        try:
            yield
        finally:
            self._release(tenant_id)

    async def _acquire(self, tenant_id: str, patience: float) -> None:
        if self._left and self._having[tenant_id] < self._most and tenant_id not in self._waiting:
            self._give(tenant_id)
            return
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant_id, deque()).append(mine)
        try:
            async with asyncio.timeout(patience):
                await mine
        except BaseException:
            if mine.done() and not mine.cancelled():
                # It came at the moment when nobody waited any more.
                self._release(tenant_id)
            else:
                self._forget(tenant_id, mine)
            raise

    def _give(self, tenant_id: str) -> None:
        self._left -= 1
        self._having[tenant_id] += 1

    def _release(self, tenant_id: str) -> None:
        self._left += 1
        self._having[tenant_id] -= 1
        if not self._having[tenant_id]:
            del self._having[tenant_id]
        self._pass_on()

    def _pass_on(self) -> None:
        while self._left:
            next_one = next((one for one in self._waiting if self._having[one] < self._most), None)
            if next_one is None:
                return
            waiting = self._waiting[next_one]
            mine = waiting.popleft()
            if waiting:
                self._waiting.move_to_end(next_one)
            else:
                del self._waiting[next_one]
            if not mine.done():
                self._give(next_one)
                mine.set_result(None)

    def _forget(self, tenant_id: str, mine: "asyncio.Future[None]") -> None:
        waiting = self._waiting.get(tenant_id)
        if waiting is not None and mine in waiting:
            waiting.remove(mine)
            if not waiting:
                del self._waiting[tenant_id]


_Work = tuple["Future[Any]", Callable[[], Any]]


class FairThreads(ThreadPoolExecutor):
    """Threads for what is worked out: tenants take turns, and one tenant never has all threads.

    Whose work it is, is told by `ACTING_FOR` where it is handed in.
    """

    def __init__(self, threads: int, name: str, tracing: Tracing = OFF) -> None:
        """Start none before there is work; tell of what is worked out as a part of what it is for."""
        super().__init__(threads, name)
        self._tracing = tracing
        self._most = max(1, threads - 1)
        self._guard = threading.Lock()
        self._having: Counter[str] = Counter()
        self._work: OrderedDict[str, deque[_Work]] = OrderedDict()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Do something when it is its tenant's turn."""
        future: Future[T] = Future()
        whose = ACTING_FOR.get()
        work: Callable[[], T] = partial(fn, *args, **kwargs)
        if self._tracing.sampled() is not None:
            work = self._traced(work)
        with self._guard:
            self._work.setdefault(whose, deque()).append((future, work))
        # Each piece of work wakes one thread, which takes whatever comes next.
        super().submit(self._next)
        return future

    def _traced(self, work: Callable[[], T]) -> Callable[[], T]:
        context, since = copy_context(), perf_counter()

        def traced() -> T:
            with self._tracing.within("compute", {"waited_seconds": round(perf_counter() - since, 6)}):
                return work()

        return partial(context.run, traced)

    def _next(self) -> None:
        while True:
            with self._guard:
                # What is nobody's is the operators'.
                whose = next((one for one in self._work if not one or self._having[one] < self._most), None)
                if whose is None:
                    # Its tenant is at work: that thread goes on with it.
                    return
                waiting = self._work[whose]
                future, work = waiting.popleft()
                if waiting:
                    self._work.move_to_end(whose)
                else:
                    del self._work[whose]
                self._having[whose] += 1
            try:
                _run(future, work)
            finally:
                del future, work
                with self._guard:
                    self._having[whose] -= 1
                    if not self._having[whose]:
                        del self._having[whose]


def _run(future: "Future[Any]", work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
