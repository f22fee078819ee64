"""Recourse: what the client could do that would lead to a better verdict."""

from typing import Self

import strawberry

from app.core.recourse import Options
from app.core.verdict import Verdict
from app.graphql.fields import described
from app.graphql.money import MoneyType
from app.language import Speaker

__all__ = ["RecourseType"]


@strawberry.type(description="One thing that the client could do today.")
class RecourseStep:
    """One step."""

    action: str = described("`sign_contract`, `approve_change`, `accept_rate` or `pay_invoice`.")
    subjects: list[str] = described("The contract, the change or the invoices; none for the rate.")
    rate: MoneyType | None = described("What an hour would cost, for `accept_rate`; else null.")
    sentence: str = described("The same for people.")
    score: float = described("The score after it and those before.")
    verdict: Verdict = described("The verdict after it and those before.")


@strawberry.type(description="A better verdict, and the fewest steps that lead to it.")
class BetterVerdict:
    """A better verdict."""

    verdict: Verdict = described("What it leads to.")
    steps: list[RecourseStep] = described("The one that does most first.")


@strawberry.type(name="Recourse", description="What the client could do that would lead to a better verdict.")
class RecourseType:
    """What would mend it."""

    better: list[BetterVerdict] = described("The best verdict last; empty where nothing would help today.")
    exact: bool = described("Whether every set of open items was weighed.")

    @classmethod
    def of(cls, found: Options, spoken: Speaker) -> Self:
        """Make it from what was found, in a language."""
        return cls(
            better=[
                BetterVerdict(
                    verdict=one.verdict,
                    steps=[
                        RecourseStep(
                            action=step.action.kind,
                            subjects=list(step.action.subjects),
                            rate=None if step.action.rate is None else MoneyType.of(step.action.rate),
                            sentence=spoken.say(step.action.message),
                            score=step.score,
                            verdict=step.verdict,
                        )
                        for step in one.steps
                    ],
                )
                for one in found.recourse
            ],
            exact=found.exact,
        )
