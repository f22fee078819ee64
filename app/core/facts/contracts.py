"""What the events say of each contract: sent, explained, refused, signed, run out."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from app.core.events import Event, Mark
from app.core.events import contract as told
from app.core.policy import Policy

__all__ = ["Contract", "ContractsBook", "ContractsState", "Refusal"]

_MOST_REFUSALS: Final = 50
"""The newest of a contract; long before that a sign has said all that it can say."""


class Refusal(NamedTuple):
    """The client refused to sign, before it was explained why that is needed, or after."""

    mark: Mark
    explained: bool


class Contract(NamedTuple):
    """One contract as it stands.

    Attributes:
        id: the tenant's own id of it.
        asked: the first time that it was sent, explained or refused.
        sent: the last time that it was sent.
        explained: when the client was told first why it is needed.
        declined: the newest refusals.
        signed: the signature, while it holds.
        touched: the last time that anything but a signature was told of it.
        ended: when a signature ran out or was withdrawn, while there is no newer one.
        lapsed: the same of a signature or of the offer to sign it, while it was not sent again.
        hours: hours worked since it is waited for.
    """

    id: str
    asked: Mark
    touched: Mark
    sent: Mark | None = None
    explained: Mark | None = None
    declined: tuple[Refusal, ...] = ()
    signed: Mark | None = None
    ended: Mark | None = None
    lapsed: Mark | None = None
    hours: float = 0.0

    @property
    def open_since(self) -> Mark:
        """Since when a signature is waited for."""
        return self.ended or self.asked

    def after(self, event: Event) -> "Contract":  # noqa: PLR0911 - a table
        """The contract after one more event."""
        mark = event.mark
        if isinstance(event.data, told.ContractSigned):
            return self._replace(signed=mark, ended=None, lapsed=None)
        made = self._replace(touched=mark)
        match event.data:
            case told.ContractSent():
                return made._replace(sent=mark, lapsed=None)
            case told.ContractExplained():
                return made._replace(explained=self.explained or mark)
            case told.ContractDeclined():
                after = self.explained is not None and self.explained.at < mark.at
                return made._replace(declined=(*self.declined, Refusal(mark, after))[-_MOST_REFUSALS:])
            case told.ContractExpired() | told.ContractTerminated() if self.signed is not None:
                return made._replace(lapsed=mark, signed=None, ended=mark, hours=0.0)
            case told.ContractExpired() | told.ContractTerminated():
                return made._replace(lapsed=mark)
            case _:
                return made


@dataclass(slots=True)
class ContractsState:
    """What is kept of contracts: each by its id."""

    contracts: dict[str, Contract] = field(default_factory=dict)

    def copy(self) -> "ContractsState":
        """The same, to go on with apart."""
        return ContractsState(dict(self.contracts))


class ContractsBook:
    """Keeps every contract that was talked about."""

    kinds = (
        told.ContractSent,
        told.ContractExplained,
        told.ContractSigned,
        told.ContractDeclined,
        told.ContractExpired,
        told.ContractTerminated,
    )

    def __init__(self, policy: Policy, state: ContractsState) -> None:
        """Go on from a state; the policy's local days count."""
        self._calendar = policy.calendar
        self._waiting: dict[str, int] | None = None
        """Contracts that are waited for with the day since when, as an ordinal; None while that is not known."""
        self.state = state

    def enter(self, event: Event) -> None:
        """Enter the next event."""
        assert isinstance(event.data, self.kinds)
        name = event.data.contract
        before = self.state.contracts.get(name) or Contract(name, event.mark, event.mark)
        self.state.contracts[name] = before.after(event)
        self._waiting = None

    def work(self, day: int, hours: float) -> None:
        """Hours were worked on a day (an ordinal): every contract that is waited for since then has more at risk."""
        contracts = self.state.contracts
        if self._waiting is None:
            days = self._calendar.day_of
            self._waiting = {
                name: days(contract.open_since.at).toordinal()
                for name, contract in contracts.items()
                if contract.signed is None
            }
        for name, since in self._waiting.items():
            if day >= since:
                contract = contracts[name]
                contracts[name] = contract._replace(hours=contract.hours + hours)

    def read(self) -> tuple[Contract, ...]:
        """The contracts by the first time that they were spoken of."""
        return tuple(sorted(self.state.contracts.values(), key=lambda contract: (contract.asked.at, contract.id)))
