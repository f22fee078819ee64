"""Events of the contract: sent, explained, signed, refused, run out."""

from dataclasses import dataclass

from app.core.events.event import EventData
from app.core.events.fields import ContractId, Text

__all__ = [
    "ContractDeclined",
    "ContractExpired",
    "ContractExplained",
    "ContractSent",
    "ContractSigned",
    "ContractTerminated",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSent(EventData):
    """A contract was sent to the client to be signed."""

    contract: ContractId = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExplained(EventData):
    """The client was told why a signed contract is needed."""

    contract: ContractId = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSigned(EventData):
    """The client signed the contract."""

    contract: ContractId = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractDeclined(EventData):
    """The client refused to sign, or put it off once more."""

    contract: ContractId = "main"
    reason: Text | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExpired(EventData):
    """The signed contract ran out, or the offer to sign it did."""

    contract: ContractId = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractTerminated(EventData):
    """The contract was ended before its term."""

    contract: ContractId = "main"
    reason: Text | None = None
