"""How much a key may ask for in a time, and the tokens that all replicas share."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Protocol

from app.ports.audit import AuditEntry

__all__ = ["EVERY_KEY", "UNITS", "LeasedTokens", "Override", "Rate", "Rates", "Unit", "parse_rates"]

EVERY_KEY: Final = ""
"""Who is meant by an override for all keys of a tenant."""


class Unit(StrEnum):
    """What is counted."""

    REQUESTS = "requests"
    EVENTS = "events"
    COST = "cost"


UNITS: Final[Mapping[str, Unit]] = MappingProxyType(
    {"burst": Unit.REQUESTS, "sustained": Unit.REQUESTS, "events": Unit.EVENTS, "cost": Unit.COST}
)
"""What each policy counts, by its name, in the order in which they are told."""


_RATE: Final = re.compile(r"(?P<name>[a-z]+)=(?P<quota>[1-9][0-9]{0,11})/(?P<seconds>[1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class Rate:
    """A policy: so many units in each window of so many seconds; windows begin at multiples of their length.

    Attributes:
        name: as the fields of HTTP name it.
        unit: what it counts.
        quota: the most in a window.
        seconds: how long a window is.
    """

    name: str
    unit: Unit
    quota: int
    seconds: int


def parse_rates(text: str) -> tuple[Rate, ...]:
    """Read rates as operators write them: `burst=100/10 sustained=600/60`, by spaces or commas; `off` for none.

    Raises:
        ValueError: it is not so; the message says what was expected.
    """
    found = {}
    for part in text.replace(",", " ").split():
        if part == "off":
            continue
        match = _RATE.fullmatch(part)
        if match is None or match["name"] not in UNITS:
            raise ValueError(f"expected {', '.join(UNITS)} as name=quota/seconds, such as burst=100/10; got {part!r}")
        found[match["name"]] = Rate(match["name"], UNITS[match["name"]], int(match["quota"]), int(match["seconds"]))
    return tuple(found[name] for name in UNITS if name in found)


@dataclass(frozen=True, slots=True)
class Override:
    """What holds for one key of a tenant, or for all of them, instead of the default.

    Attributes:
        who: as a principal is named; `EVERY_KEY` for all of the tenant.
        name: of the policy.
        quota: None where the policy is not to hold.
        seconds: how long a window is.
    """

    who: str
    name: str
    quota: int | None
    seconds: int


@dataclass(frozen=True, slots=True)
class LeasedTokens:
    """What is known of a policy's window after tokens were asked for.

    Attributes:
        began: when the window began, in seconds since 1970.
        used: what was asked for in it so far by all replicas, with what was asked for now; it may be above the quota.
        now: the clock that all replicas go by, in seconds since 1970.
    """

    began: float
    used: int
    now: float


class Rates(Protocol):
    """Keeps tokens and overrides; every method raises `StoreUnavailableError` when it cannot."""

    async def lease(self, tenant_id: str, who: str, asked: Sequence[tuple[Rate, int]]) -> dict[str, LeasedTokens]:
        """Ask for tokens of some policies at once, in the window of now; by the name of the policy."""
        ...

    async def overrides(self, tenant_id: str) -> list[Override]:
        """All of a tenant."""
        ...

    async def put_override(self, tenant_id: str, override: Override, entry: AuditEntry) -> None:
        """Store one, in the place of the one before, and note it in the audit log."""
        ...

    async def drop_override(self, tenant_id: str, who: str, name: str, entry: AuditEntry) -> None:
        """Go back to the default, and note it in the audit log where that changes anything."""
        ...
