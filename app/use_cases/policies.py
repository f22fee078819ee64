"""Policies: make a version, look at it, activate it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from app.core.policy import DEFAULT_POLICY, Policy
from app.ports.audit import CLI, Actor
from app.ports.clock import Clock
from app.ports.conditions import UnfitError
from app.ports.policies import Policies, PolicyFormat, PolicyRecord
from app.use_cases.errors import ConflictError, InvalidRequestError, NotFoundError, PreconditionFailedError
from app.use_cases.recent import Recent

__all__ = ["ManagePolicies"]

_BEGINNING: Final = datetime(2026, 1, 1, tzinfo=UTC)
_KEPT: Final = 1_000
MOST_VERSIONS: Final = 1_000
"""Of one tenant."""


class ManagePolicies:
    """Keeps a tenant's versions. Beside them there is always the default, which holds until another is activated."""

    def __init__(self, policies: Policies, form: PolicyFormat, clock: Clock) -> None:
        """Keep policies in a store, as JSON of a form."""
        self._policies = policies
        self._form = form
        self._clock = clock
        # A version never changes, so that what was read once holds for ever.
        self._read: Recent[tuple[str, str], Policy] = Recent(_KEPT)

    async def active(self, tenant_id: str) -> Policy:
        """The tenant's active policy."""
        return await self.policy(tenant_id, await self.active_version(tenant_id))

    async def active_version(self, tenant_id: str) -> str:
        """The name of the tenant's active policy."""
        return (await self.activation(tenant_id))[0]

    async def activation(self, tenant_id: str) -> tuple[str, int]:
        """The name of the tenant's active policy, and the number of its activation."""
        return await self._policies.active(tenant_id) or (DEFAULT_POLICY.version, 0)

    async def in_force(self, tenant_id: str) -> tuple[Policy, int]:
        """The tenant's active policy, and the number of its activation."""
        version, number = await self.activation(tenant_id)
        return await self.policy(tenant_id, version), number

    async def policy(self, tenant_id: str, version: str) -> Policy:
        """One version to score with.

        Raises:
            NotFoundError: there is no such version.
        """
        if version == DEFAULT_POLICY.version:
            return DEFAULT_POLICY
        found = self._read.get((tenant_id, version))
        if found is None:
            found = self._form.load(version, (await self.record(tenant_id, version)).settings)
            self._read.put((tenant_id, version), found)
        return found

    async def record(self, tenant_id: str, version: str) -> PolicyRecord:
        """One version to look at.

        Raises:
            NotFoundError: there is no such version.
        """
        found = await self._policies.get(tenant_id, version)
        if found is not None:
            return found
        if version == DEFAULT_POLICY.version:
            return self._default()
        raise NotFoundError(f"there is no policy {version!r}")

    async def all(self, tenant_id: str) -> list[PolicyRecord]:
        """All versions, the newest first and the default last."""
        return [*await self._policies.all(tenant_id), self._default()]

    async def page(self, tenant_id: str, after: str | None, limit: int) -> tuple[list[PolicyRecord], bool]:
        """Versions after another one, the newest first and the default last.

        Returns:
            The page, and whether there are more.
        """
        if after == DEFAULT_POLICY.version:
            return [], False
        found = await self._policies.all(tenant_id, after, limit + 1)
        return [*found, self._default()][:limit], len(found) >= limit

    async def draft(
        self,
        tenant_id: str,
        patch: Mapping[str, Any],
        based_on: str | None = None,
        note: str | None = None,
        by: Actor = CLI,
        *,
        request_id: str | None = None,
    ) -> PolicyRecord:
        """Make a new version from another one, which does not yet count.

        Args:
            tenant_id: whose.
            patch: what changes, as a JSON Merge Patch.
            based_on: the other version; None for the active one.
            note: why, for people.
            by: who does it.
            request_id: of a request that is done once; None for others.

        Raises:
            InvalidRequestError: there is no version to base it on.
            InvalidFieldsError: what comes out is no policy.
            ConflictError: there are too many versions.
        """
        if based_on is None:
            based_on = await self.active_version(tenant_id)
        try:
            base = await self.record(tenant_id, based_on)
        except NotFoundError as error:
            raise InvalidRequestError("/based_on", str(error)) from None
        settings = self._form.patched(base.settings, patch)
        if len(await self._policies.all(tenant_id)) >= MOST_VERSIONS:
            raise ConflictError(f"there are {MOST_VERSIONS} versions already, which is the most")
        record = PolicyRecord("", based_on, note, settings, self._clock.now())
        return await self._policies.add(tenant_id, record, request_id, by)

    async def activate(
        self,
        tenant_id: str,
        version: str,
        by: Actor = CLI,
        *,
        request_id: str | None = None,
        fits: Callable[[int], bool] | None = None,
    ) -> PolicyRecord:
        """Let a version count from now on, for every answer.

        Args:
            tenant_id: whose.
            version: which.
            by: who does it.
            request_id: of a request that is done once; None for others.
            fits: whether it is to be done, after so many activations as there are when it is.

        Raises:
            NotFoundError: there is no such version.
            PreconditionFailedError: it does not fit.
        """
        await self.record(tenant_id, version)
        try:
            await self._policies.activate(tenant_id, version, self._clock.now(), request_id, by, fits)
        except UnfitError:
            raise PreconditionFailedError("it is not as you know it: a version was activated since") from None
        return await self.record(tenant_id, version)

    def _default(self) -> PolicyRecord:
        settings = self._form.dump(DEFAULT_POLICY)
        version = DEFAULT_POLICY.version
        return PolicyRecord(version, version, "What holds until another is activated.", settings, _BEGINNING)
