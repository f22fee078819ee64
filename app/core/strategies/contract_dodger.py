"""The client who will not sign: make the contract easy to sign, and the work depend on it."""

from collections.abc import Callable, Iterator
from datetime import date, datetime

from app.core.facts import Contract
from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, paragraphs

__all__ = ["CONTRACT_DODGER"]


def _letter(case: Case) -> Draft:
    facts, day_of = case.facts, case.policy.calendar.day_of
    unsigned = [contract for contract in facts.contracts if contract.signed is None]
    if not unsigned:
        return Draft(
            Message(N_("A contract for our work")),
            paragraphs(
                case,
                Message(N_("Before we go on, we would like to put in writing what you get, by when and for how much.")),
                *_draft_to_come(case),
            ),
        )
    oldest = min(unsigned, key=lambda contract: (contract.open_since.at, contract.id))
    worked = Message(N_("Without a contract we have worked {hours:hour} for you so far."), {"hours": oldest.hours})
    return Draft(
        Message(N_("The contract for our work")),
        paragraphs(
            case,
            _how_it_stands(oldest, day_of),
            worked if oldest.hours else None,
            Message(N_("The contract protects you as much as us: it says what you get, by when and for how much.")),
            *(_to_sign(case) if oldest.sent and not oldest.lapsed else _draft_to_come(case)),
            Message(N_("After that day we can go on only with a signed contract.")),
        ),
    )


def _how_it_stands(contract: Contract, day_of: Callable[[datetime], date]) -> Message:
    """The newest thing that is true of a contract that is not signed."""
    if contract.lapsed is not None:
        ended = N_("Our contract ended on {day}, and there is no new one yet.")
        offered = N_("Our offer of a contract ended on {day} without a signature.")
        return Message(ended if contract.ended else offered, {"day": day_of(contract.lapsed.at)})
    declined = contract.declined[-1].mark if contract.declined else None
    if declined is not None and (contract.sent is None or declined > contract.sent):
        return Message(
            N_("The contract is not signed yet; on {day} you told us that you would not sign it now."),
            {"day": day_of(declined.at)},
        )
    if contract.sent is not None:
        return Message(
            N_("We sent you the contract on {day}, and it is not signed yet."), {"day": day_of(contract.sent.at)}
        )
    return Message(
        N_("On {day} we told you why we need a signed contract, and there is none yet."),
        {"day": day_of(contract.asked.at)},
    )


def _to_sign(case: Case) -> Iterator[Message]:
    yield Message(
        N_("Please sign it by {by}, or tell us which clause you would like to change."), {"by": case.deadline}
    )


def _draft_to_come(case: Case) -> Iterator[Message]:
    yield Message(N_("You get our draft by {by}. Please tell us who signs it on your side."), {"by": case.deadline})


CONTRACT_DODGER = Approach(
    client_type="contract_dodger",
    tone=N_("Friendly and definite: a contract is how you work with everybody, and no sign of distrust."),
    steps=(
        N_("Ask what keeps them from signing, and change that clause if you can."),
        N_("Make it short: two pages, or an order confirmation to begin with."),
        N_("Name a day from which work rests until it is signed, and keep to it."),
        N_("Begin nothing new without a signature."),
    ),
    in_writing=(
        N_("What is done, by when and for how much."),
        N_("The day from which work rests without a signature."),
        N_("Every reason that you were given for not signing."),
    ),
    letter=_letter,
)
