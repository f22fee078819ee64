"""The client who will not sign: make the contract easy to sign, and the work depend on it."""

from app.core.message import N_, Message
from app.core.strategies.strategy import Approach, Case, Draft, paragraphs

__all__ = ["CONTRACT_DODGER"]


def _letter(case: Case) -> Draft:
    facts = case.facts
    unsigned = [contract for contract in facts.contracts if contract.signed is None]
    if not unsigned:
        return Draft(
            Message(N_("A contract for our work")),
            paragraphs(
                case,
                Message(N_("before we go on, we would like to put in writing what you get, by when and for how much.")),
                Message(
                    N_("You get our draft by {by}. Please tell us who signs it on your side."), {"by": case.deadline}
                ),
            ),
        )
    calendar = case.policy.calendar
    asked = calendar.day_of(min(contract.ended or contract.asked for contract in unsigned).at)
    hours = sum(effort.hours for effort in facts.work.efforts if effort.day >= asked)
    worked = Message(N_("Since then we have worked {hours:hour} for you without it."), {"hours": hours})
    return Draft(
        Message(N_("The contract for our work")),
        paragraphs(
            case,
            Message(N_("we sent you the contract on {sent}, and it is not signed yet."), {"sent": asked}),
            worked if hours else None,
            Message(
                N_(
                    "It protects you as much as us: it says what you get, by when and for how much. Please sign it by "
                    "{by}, or tell us which clause you would like to change."
                ),
                {"by": case.deadline},
            ),
            Message(N_("After that day we can go on only with a signed contract.")),
        ),
    )


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
