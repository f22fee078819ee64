"""One subscription from its beginning to its end, whatever it is told over."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from time import perf_counter

from app.graphql.answering import Answering, Course, Prepared, SubscriptionFailed
from app.graphql.context import Context
from app.graphql.live.ends import End, Transport
from app.graphql.live.seats import FullError, Seats
from app.graphql.operations import Ending, Operations
from app.ports.tracing import Tracing

__all__ = ["Subscribed", "Subscriptions"]

_log = logging.getLogger("partwise.graphql")
_TOO_MANY = "TOO_MANY_SUBSCRIPTIONS"
_SLOW = "TOO_SLOW"


class Subscribed:
    """What is known of one subscription by now; whoever ends it says why."""

    def __init__(self) -> None:
        """It begins."""
        self.end = End.DONE


class Subscriptions:
    """Opens subscriptions, within limits, and tells how they go."""

    def __init__(
        self, answering: Answering, seats: Seats, operations: Operations, tracing: Tracing, transport: Transport
    ) -> None:
        """Run them by this, where there are seats; those who watch are told."""
        self._answering = answering
        self._seats = seats
        self._operations = operations
        self._tracing = tracing
        self._transport = transport

    async def payloads(
        self, prepared: Prepared, context: Context, course: Course, subscribed: Subscribed
    ) -> AsyncGenerator[bytes, None]:
        """What is told, as JSON, until one wants no more.

        Raises:
            SubscriptionFailed: it cannot begin, or not go on.
        """
        began = perf_counter()
        try:
            with self._seats.taken(context.principal):
                self._operations.subscribed(self._transport)
                try:
                    async with aclosing(self._answering.payloads(prepared, context)) as payloads:
                        # What comes later is no part of this request's work: it is traced up to here.
                        with self._tracing.span(course.kind, {"graphql.operation.type": course.kind}):
                            first = await anext(payloads)
                        course.ending = Ending.OK
                        yield first
                        async for payload in payloads:
                            yield payload
                except SubscriptionFailed as failed:
                    codes = {error["extensions"]["code"] for error in failed.errors}
                    subscribed.end = End.SLOW if codes == {_SLOW} else End.FAILED
                    course.ending = Ending.ERROR
                    raise
                finally:
                    self._operations.unsubscribed(self._transport, subscribed.end)
                    told = {"reason": str(subscribed.end), "seconds": round(perf_counter() - began, 6)}
                    _log.info("a subscription has ended", extra=told)
        except FullError as full:
            raise SubscriptionFailed([{"message": str(full), "extensions": {"code": _TOO_MANY}}]) from None
