"""Policies: versions of all settings of the model, and what another one would change."""

from datetime import datetime
from typing import Any, Self

import msgspec
import strawberry

from app.core.verdict import Verdict
from app.graphql.context import Context, Info
from app.graphql.fields import answered, described
from app.graphql.nodes import Node, global_id
from app.graphql.portfolios import VerdictCount
from app.graphql.scalars import JSON
from app.ports.policies import PolicyRecord
from app.use_cases.errors import NotFoundError
from app.use_cases.viewpoint import Viewpoint
from app.wire.fields import is_name
from app.wire.resource_tags import only, policy_tags

__all__ = ["PolicyPreview", "PolicyVersion", "policies_of", "policy_named", "preview_of"]

_MOST_CHANGES = 200


@strawberry.type(description="One version of all settings of the model; it never changes.")
class PolicyVersion(Node):
    """One version."""

    version: str = described("Its name.")
    active: bool = described("Whether it is the one that counts.")
    based_on: str = described("The version that it was made from.")
    note: str | None = described("Why, for people.")
    created_at: datetime = described("When it was made.")
    activated_at: datetime | None = described("When it was activated last; null for a draft.")
    raw: strawberry.Private[str]
    activation: strawberry.Private[int]

    @answered("Another one as soon as any version is activated: for `ifMatch`. REST's `ETag`, without its quotes.")
    async def etag(self, info: Info) -> str:
        """Its tag."""
        context = info.context
        return (await policy_tags(context.services.tags, context.tenant_id, only())).of(self.version, self.activation)

    @answered("All settings.")
    def settings(self) -> JSON:
        """All settings."""
        found: Any = msgspec.json.decode(self.raw)
        return JSON(found)

    @classmethod
    def of(cls, found: PolicyRecord, active: tuple[str, int]) -> Self:
        """Make it from a record, and from the active version and the number of its activation, as read before."""
        version, activation = active
        return cls(
            id=global_id("PolicyVersion", found.version),
            version=found.version,
            active=found.version == version,
            based_on=found.based_on,
            note=found.note,
            created_at=found.created_at,
            activated_at=found.activated_at,
            raw=found.settings,
            activation=activation,
        )


@strawberry.type(description="A client whose verdict would change.")
class PolicyChange:
    """A client whose verdict would change."""

    client_id: str = described("Which client.")
    verdict_before: Verdict = described("With the active policy.")
    verdict: Verdict = described("With the other one.")
    score_before: float = described("With the active policy.")
    score: float = described("With the other one.")


@strawberry.type(description="What activating a version would change.")
class PolicyPreview:
    """What activating a version would change."""

    version: str = described("The version looked at.")
    active_version: str = described("The one that counts.")
    as_of: datetime = described("The instant of both looks.")
    before: list[VerdictCount] = described("Clients by verdict, with the active version.")
    after: list[VerdictCount] = described("Clients by verdict, with this one.")
    changed: int = described("How many clients would get another verdict.")
    changes: list[PolicyChange] = described("Those whose score moves most first; 200 at most.")


async def policies_of(context: Context) -> list[PolicyVersion]:
    """All versions, the newest first."""
    active = await context.services.policies.activation(context.tenant_id)
    return [PolicyVersion.of(one, active) for one in await context.services.policies.all(context.tenant_id)]


async def policy_named(context: Context, version: str) -> PolicyVersion:
    """One version.

    Raises:
        NotFoundError: there is no such version.
    """
    active = await context.services.policies.activation(context.tenant_id)
    return PolicyVersion.of(await context.services.policies.record(context.tenant_id, _known(version)), active)


async def preview_of(context: Context, version: str, viewpoint: Viewpoint) -> PolicyPreview:
    """What activating a version would change.

    Raises:
        NotFoundError: there is no such version.
    """
    found = await context.services.assess.preview(context.tenant_id, viewpoint, _known(version))
    return PolicyPreview(
        version=found.version,
        active_version=found.active_version,
        as_of=found.as_of,
        before=[VerdictCount(verdict=verdict, clients=count) for verdict, count in found.before.items()],
        after=[VerdictCount(verdict=verdict, clients=count) for verdict, count in found.after.items()],
        changed=len(found.changes),
        changes=[
            PolicyChange(
                client_id=one.client_id,
                verdict_before=one.before.verdict,
                verdict=one.after.verdict,
                score_before=one.before.score,
                score=one.after.score,
            )
            for one in found.changes[:_MOST_CHANGES]
        ],
    )


def _known(version: str) -> str:
    """A name that a version may have.

    Raises:
        NotFoundError: no version can be called so.
    """
    if len(version) > 40 or not is_name(version):
        raise NotFoundError("there is no policy of that name")
    return version
