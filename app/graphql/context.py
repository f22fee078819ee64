"""The context of one operation: who asks, in which language, and the loaders that read for many at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

import strawberry
from strawberry.dataloader import DataLoader

from app.core.assessment import Assessment
from app.core.events import EventRef
from app.core.explanation import Explanation
from app.core.timeline import Effect, Place
from app.graphql.scalars import Moment
from app.language import Speaker
from app.ports.clients import ClientRecord
from app.ports.ledger import StoredEvent
from app.ports.webhooks import Delivery, DeliveryFilter
from app.scopes import GRAPHQL
from app.services import Services
from app.use_cases.cases import Case, assessments_of, explanations_of, timelines_of
from app.use_cases.errors import NotFoundError
from app.use_cases.keys import Principal
from app.use_cases.rates import Allowance
from app.use_cases.viewpoint import Viewpoint
from app.wire.cursors import Places

__all__ = ["Context", "Info", "Seen"]

Seen = tuple[Viewpoint, str]
"""A client by its id, as seen from a viewpoint."""


@dataclass
class Context:
    """One operation's surroundings."""

    services: Services
    principal: Principal
    speaker: Speaker
    allowance: Allowance

    @property
    def tenant_id(self) -> str:
        """Whose data this is about."""
        return self.principal.tenant_id

    def permit(self, operation: str) -> None:
        """Check that who asks may do this, such as `Query.client`; see `app.scopes`.

        Raises:
            ForbiddenError: it may not.
        """
        scope = GRAPHQL[operation]
        if scope is not None:
            self.principal.require(scope)

    async def viewpoint(self, as_of: Moment | None, known_at: Moment | None) -> Viewpoint:
        """From when one looks; by default from now, the same for all fields, with all that is known."""
        moment = self.services.assess.moment
        at = self._now if as_of is None else await moment(_read(as_of), self.tenant_id)
        known = None if known_at is None else await moment(_read(known_at), self.tenant_id)
        return Viewpoint(at, known)

    async def places(self, *names: str, seen: Viewpoint | None = None) -> Places:
        """The cursors of a list, by its name, its filters and from when one looks: "now" is the same at all times."""
        as_of = "" if seen is None or seen.as_of == self._now else seen.as_of.isoformat()
        known_at = "" if seen is None or seen.known_at is None else seen.known_at.isoformat()
        return await self.services.cursors.of(self.tenant_id, "graphql", *names, as_of, known_at)

    @cached_property
    def _now(self) -> datetime:
        return self.services.assess.now()

    async def case(self, key: Seen) -> Case:
        """One client from a viewpoint.

        Raises:
            NotFoundError: it is not known.
        """
        found = await self._cases.load(key)
        if found is None:
            raise NotFoundError(f"there is no client {key[1]!r}")
        return found

    @cached_property
    def _cases(self) -> DataLoader[Seen, Case | None]:
        async def load(keys: list[Seen]) -> list[Case | None]:
            found: dict[Seen, Case] = {}
            for viewpoint in dict.fromkeys(viewpoint for viewpoint, _ in keys):
                wanted = [client_id for seen, client_id in keys if seen == viewpoint]
                cases = await self.services.assess.cases.several(self.tenant_id, wanted, viewpoint)
                found |= {(viewpoint, client_id): case for client_id, case in cases.items()}
            return [found.get(key) for key in keys]

        return DataLoader(load)

    # What others are loaded from is worked out for all at once: then they are loaded at once too.

    @cached_property
    def explanations(self) -> DataLoader[Seen, Explanation]:
        """Explanations by viewpoint and client id."""

        async def load(keys: list[Seen]) -> list[Explanation]:
            return await explanations_of([await self.case(key) for key in keys])

        return DataLoader(load)

    @cached_property
    def assessments(self) -> DataLoader[Seen, Assessment]:
        """Assessments by viewpoint and client id."""

        async def load(keys: list[Seen]) -> list[Assessment]:
            return await assessments_of([await self.case(key) for key in keys])

        return DataLoader(load)

    @cached_property
    def timelines(self) -> DataLoader[tuple[Seen, Place | None, int], tuple[list[Effect], Place | None]]:
        """Timelines by viewpoint and client id, from a place on and of a length."""

        async def load(
            keys: list[tuple[Seen, Place | None, int]],
        ) -> list[tuple[list[Effect], Place | None]]:
            return await timelines_of([(await self.case(seen), before, limit) for seen, before, limit in keys])

        return DataLoader(load)

    @cached_property
    def clients(self) -> DataLoader[str, ClientRecord | None]:
        """Clients by id."""

        async def load(keys: list[str]) -> Sequence[ClientRecord | None]:
            found = await self.services.clients.several(self.tenant_id, keys)
            return [found.get(key) for key in keys]

        return DataLoader(load)

    @cached_property
    def deliveries(self) -> DataLoader[tuple[str, DeliveryFilter, int | None, int], list[Delivery]]:
        """Deliveries by webhook, filter, the number below which they are, and how many."""

        async def load(keys: list[tuple[str, DeliveryFilter, int | None, int]]) -> list[list[Delivery]]:
            found: dict[tuple[str, DeliveryFilter, int | None, int], list[Delivery]] = {}
            for page in dict.fromkeys(key[1:] for key in keys):
                wanted = [key[0] for key in keys if key[1:] == page]
                pages = await self.services.webhooks.deliveries_of(self.tenant_id, wanted, *page)
                found |= {(webhook_id, *page): some for webhook_id, some in pages.items()}
            return [found.get(key, []) for key in keys]

        return DataLoader(load)

    @cached_property
    def events(self) -> DataLoader[EventRef, StoredEvent | None]:
        """Events by source and id."""

        async def load(keys: list[EventRef]) -> Sequence[StoredEvent | None]:
            found = await self.services.find.several(self.tenant_id, keys)
            return [found.get(key) for key in keys]

        return DataLoader(load)


def _read(moment: Moment) -> datetime | date:
    assert isinstance(moment, date)
    return moment


Info = strawberry.Info[Context, None]
