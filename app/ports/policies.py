"""Policies: a tenant's versions of the scoring settings, and which of them is active."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from app.core.policy import Policy
from app.ports.audit import CLI, Actor

__all__ = ["Policies", "PolicyFormat", "PolicyRecord"]


@dataclass(frozen=True, slots=True)
class PolicyRecord:
    """One version; it never changes.

    Attributes:
        version: its name within the tenant.
        based_on: the version that it was made from.
        note: why, for people.
        settings: all settings as JSON, without the version.
        created_at: when it was made.
        activated_at: when it was activated last; None for a draft.
    """

    version: str
    based_on: str
    note: str | None
    settings: str
    created_at: datetime
    activated_at: datetime | None = None


class Policies(Protocol):
    """Keeps policies; every method raises `StoreUnavailableError` when it cannot."""

    async def active(self, tenant_id: str) -> tuple[str, int] | None:
        """The version that was activated last, and the number of that activation; None while none was."""
        ...

    async def get(self, tenant_id: str, version: str) -> PolicyRecord | None:
        """One version, or None for an unknown one."""
        ...

    async def all(self, tenant_id: str, after: str | None = None, most: int | None = None) -> list[PolicyRecord]:
        """Versions of a tenant, the newest first: all, or so many of those that were made before another one."""
        ...

    async def add(
        self, tenant_id: str, record: PolicyRecord, request_id: str | None = None, by: Actor = CLI
    ) -> PolicyRecord:
        """Keep a new version under the next free name, `v1`, `v2` and so on, which the answer has.

        A request that has made one already gets that.
        """
        ...

    async def activate(  # noqa: PLR0917 - what it is made from
        self,
        tenant_id: str,
        version: str,
        at: datetime,
        request_id: str | None = None,
        by: Actor = CLI,
        fits: Callable[[int], bool] | None = None,
    ) -> None:
        """Make a version the active one, from now on; not again by a request that has done so already.

        Args:
            tenant_id: whose.
            version: which.
            at: when.
            request_id: of a request that is done once; None for others.
            by: who does it.
            fits: whether it is to be, after so many activations as there are.

        Raises:
            UnfitError: it is not to be.
        """
        ...


class PolicyFormat(Protocol):
    """Reads and writes policies as JSON."""

    def dump(self, policy: Policy) -> str:
        """All settings of a policy, without the version."""
        ...

    def load(self, version: str, settings: str) -> Policy:
        """The policy that was dumped; settings that came later have their defaults."""
        ...

    def patched(self, settings: str, patch: Mapping[str, Any]) -> str:
        """Settings with a JSON Merge Patch (RFC 7396) applied.

        Raises:
            InvalidFieldsError: what comes out is no policy.
        """
        ...
