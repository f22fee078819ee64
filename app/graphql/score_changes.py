"""What became other about clients, as it comes: subscriptions."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import datetime
from typing import Final, Self

import strawberry

from app.core.reading import Aspect, Reading
from app.core.verdict import Verdict
from app.graphql.context import Context, Info
from app.graphql.errors import coded
from app.graphql.fields import described
from app.graphql.nodes import require_client_id
from app.ports.changes import AssessmentChange
from app.wire.cursors import CHANGES, Places

__all__ = ["AssessmentReading", "ScoreChanges", "Subscription"]

_MOST_CLIENTS: Final = 1_000
_PASSED_OVER: Final = 1_000
"""Changes that a filter passes over until it is told how far it has come."""
_QUIET: Final = 60.0
"""Seconds for the same."""

strawberry.enum(Aspect, name="ChangedAspect", description="What a change of an assessment changed.")


@strawberry.type(name="AssessmentReading", description="An assessment in short.")
class AssessmentReading:
    """An assessment in short."""

    score: float = described("From 0 to 100, as `Score.score`.")
    verdict: Verdict = described("What it amounts to.")
    client_type: str = described("The kind of client that it seems to be.")

    @classmethod
    def of(cls, found: Reading) -> Self:
        """Make it from a reading."""
        return cls(score=found.score, verdict=found.verdict, client_type=found.client_type)


@strawberry.type(description="That a client's stored assessment became another one.")
class ScoreChange:
    """That a client's assessment became another one."""

    id: strawberry.ID = described("Names the change within the tenant: the same on every way it is told.")
    at: datetime = described("When it was stored.")
    client_id: str = described("Whose.")
    as_of: datetime = described("The instant that the new assessment was made for.")
    aspects: list[Aspect] = described("What changed; all of them with a client's first assessment.")
    before: AssessmentReading | None = described("The assessment before; null for a client's first.")
    after: AssessmentReading = described("The new one.")

    @classmethod
    def of(cls, found: AssessmentChange) -> Self:
        """Make it from a change."""
        return cls(
            id=strawberry.ID(str(found.place)),
            at=found.at,
            client_id=found.client_id,
            as_of=found.as_of,
            aspects=sorted(found.aspects),
            before=None if found.before is None else AssessmentReading.of(found.before),
            after=AssessmentReading.of(found.after),
        )


@strawberry.type(description="Changes in their order, and where to go on.")
class ScoreChanges:
    """Changes in their order."""

    cursor: str = described("Where to go on, as `after`: all up to here was told.")
    changes: list[ScoreChange] = described(
        "At most 50. None in the first payload where there is nothing yet, and where for a while all that came was "
        "passed over."
    )

    @property
    def count(self) -> int:
        """What is paid for."""
        return len(self.changes)


def _wanted(
    verdicts: list[Verdict] | None, client_ids: list[strawberry.ID] | None
) -> Callable[[AssessmentChange], bool]:
    if client_ids is not None and len(client_ids) > _MOST_CLIENTS:
        raise coded(f"expected at most {_MOST_CLIENTS:,} ids", "BAD_USER_INPUT", argument="clientIds")
    for one in client_ids or ():
        require_client_id(str(one))
    kinds = None if verdicts is None else frozenset(verdicts)
    clients = None if client_ids is None else frozenset(map(str, client_ids))

    def is_wanted(change: AssessmentChange) -> bool:
        if clients is not None and change.client_id not in clients:
            return False
        if kinds is None or change.after.verdict in kinds:
            return True
        # Who looks at some verdicts has to know of those who leave them.
        return change.before is not None and change.before.verdict in kinds

    return is_wanted


async def _begin(context: Context, places: Places, after: str | None) -> int:
    if after is None:
        return await context.services.live.newest(context.tenant_id)
    try:
        return int(places.decode(after, 1)[0])
    except ValueError:
        message = "expected `cursor` of a payload, or `next` of a page of `GET /v1/changes`"
        raise coded(message, "BAD_USER_INPUT", argument="after") from None


@strawberry.type(description="What is told as it comes, over WebSocket or Server-Sent Events.")
class Subscription:
    """What is told as it comes."""

    @strawberry.subscription(
        description="What becomes other about clients, each change once it is durable, in order. The first payload "
        "comes at once, with a cursor. `verdict`: of those who had or have one of these verdicts; `clientIds`: of "
        "these clients; `after`: what came after a cursor, by default what comes from now on. A payload costs what the "
        "operation does, for each change in it."
    )
    async def score_changed(
        self,
        info: Info,
        verdict: list[Verdict] | None = None,
        client_ids: list[strawberry.ID] | None = None,
        after: str | None = None,
    ) -> AsyncGenerator[ScoreChanges, None]:
        """What becomes other about clients."""
        context = info.context
        context.permit("Subscription.scoreChanged")
        is_wanted = _wanted(verdict, client_ids)
        # The cursors are those of `GET /v1/changes`.
        places = await context.services.cursors.of(context.tenant_id, CHANGES)
        told = await _begin(context, places, after)
        now = asyncio.get_running_loop().time
        told_at, is_first = now(), True
        async with aclosing(context.services.live.pages(context.tenant_id, told)) as pages:
            async for page in pages:
                found = [ScoreChange.of(one) for one in page.changes if is_wanted(one)]
                quiet = page.place > told and (page.place - told >= _PASSED_OVER or now() - told_at >= _QUIET)
                if found or is_first or quiet:
                    yield ScoreChanges(cursor=places.encode(str(page.place)), changes=found)
                    told, told_at, is_first = page.place, now(), False
