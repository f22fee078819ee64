"""The viewpoint of a read: `?as_of=` and `?known_at=`."""

from typing import Annotated

from fastapi import Depends, Query

from app.rest.parameters import MOMENT, moment
from app.rest.services import Reader, UsedServices
from app.use_cases.viewpoint import Viewpoint

__all__ = ["AsOf", "KnownAt", "Viewed"]

_FORMS = "an RFC 3339 instant, or a day: its end in your zone."


AsOf = Annotated[
    str | None,
    Query(
        max_length=40,
        json_schema_extra=MOMENT,
        description=f"What was true then: {_FORMS} By default now.",
        examples=["2026-03-31", "2026-03-31T12:00:00Z"],
    ),
]
KnownAt = Annotated[
    str | None,
    Query(
        max_length=40,
        json_schema_extra=MOMENT,
        description=f"As far as it had been told by then: {_FORMS} By default all that is known.",
        examples=["2026-03-31"],
    ),
]


async def _viewpoint(
    principal: Reader, services: UsedServices, as_of: AsOf = None, known_at: KnownAt = None
) -> Viewpoint:
    tenant_id = principal.tenant_id
    at = await services.assess.moment(moment(as_of, "as_of"), tenant_id)
    known = None if known_at is None else await services.assess.moment(moment(known_at, "known_at"), tenant_id)
    return Viewpoint(at, known)


Viewed = Annotated[Viewpoint, Depends(_viewpoint)]
