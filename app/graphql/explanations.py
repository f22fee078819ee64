"""Explanations: why a score is what it is, what it costs to stay, and what to do."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Self

import strawberry

from app.core.assessment import Assessment, SignAssessment
from app.core.cost import Cost
from app.core.explanation import Explanation
from app.core.parting import Parting
from app.core.reasons import Reasoned, sentence_of
from app.core.signs import Figure, Reason
from app.core.strategies import Draft, Strategy
from app.core.trend import Trend
from app.core.verdict import Verdict
from app.graphql.context import Info
from app.graphql.events import Event
from app.graphql.fields import answered, described
from app.graphql.money import MoneyType
from app.graphql.scores import Moved, Score, SignName
from app.language import Speaker
from app.use_cases.viewpoint import Viewpoint

__all__ = ["ExplanationType", "Reasons"]


@strawberry.type(name="Figure", description="One measured number.")
class FigureType:
    """One measured number."""

    name: str = described("What was measured.")
    value: float = described("How much.")
    unit: str = described("Such as `days`, `hours`, `ratio`, `count` or an ISO 4217 code.")


@strawberry.type(description="One sign's part in a score.")
class SignPart:
    """One sign's part."""

    sign: SignName = described("Which sign.")
    title: str = described("The sign, for people.")
    decibans: float = described("Its evidence: ten times the base-ten logarithm of an odds ratio.")
    points: float = described("Its part of the score; all parts add up to `score` less the prior's.")
    reason_code: str = described("Why, for programs.")
    sentence: str = described("Why, for people.")
    figures: list[FigureType] = described("What was measured.")
    held_against: list[FigureType] = described("What an ordinary client would show.")
    reason: strawberry.Private[Reason]

    @answered("The events that weigh most, heaviest first.", weight=2, size=5)
    async def events(self, info: Info) -> list[Event]:
        """The events that weigh most."""
        found = await info.context.events.load_many(list(self.reason.events))
        return [Event.of(one) for one in found if one is not None]

    @classmethod
    def of(cls, part: SignAssessment, reason: Reason, spoken: Speaker) -> Self:
        """Make it from what the core says, in a language."""
        return cls(
            sign=SignName(part.sign.name),
            title=spoken.translated(part.sign.title),
            decibans=part.decibans,
            points=part.points,
            reason_code=reason.code,
            sentence=spoken.say(sentence_of(part.sign, reason)),
            figures=_figures(reason.figures),
            held_against=_figures(reason.held_against),
            reason=reason,
        )


@strawberry.type(description="How a score stood some days ago, and which signs moved it since.")
class TrendPoint:
    """The trend."""

    days: int = described("So many days ago.")
    score: float = described("The score then.")
    verdict: Verdict = described("The verdict then.")
    change: float = described("The score now less the score then.")
    moved: list[Moved] = described(
        "The signs that moved it, what moved it most first; their points add up to `change`."
    )

    @classmethod
    def of(cls, found: Trend) -> Self:
        """Make it from a trend."""
        return cls(
            days=found.days,
            score=found.score,
            verdict=found.verdict,
            change=found.since.score,
            moved=[Moved.of(one) for one in found.since.moved],
        )


@strawberry.type(description="One part of what it costs to stay.")
class CostTerm:
    """One part of the cost."""

    term: str = described("Which part.")
    amount: Decimal | None = described("Money per month; null where it is not known what an hour is worth.")
    figures: list[FigureType] = described("What it rests on.")
    sentence: str = described("The same for people.")


@strawberry.type(description="What it costs to stay, per month.")
class CostOfStaying:
    """The cost of staying."""

    currency: str = described("The tenant's currency (ISO 4217).")
    per_month: Decimal = described("The sum of all known terms.")
    days: int = described("How many days the figures are of.")
    terms: list[CostTerm] = described("Term by term.")
    left_out: list[str] = described("Currencies without an exchange rate: their invoices are in no amount.")

    @classmethod
    def of(cls, found: Cost, spoken: Speaker) -> Self:
        """Make it from a cost, in a language."""
        return cls(
            currency=found.currency,
            per_month=found.per_month,
            days=found.days,
            terms=[
                CostTerm(
                    term=term.name,
                    amount=term.amount,
                    figures=_figures(term.figures),
                    sentence=spoken.say(term.message),
                )
                for term in found.terms
            ],
            left_out=list(found.left_out),
        )


@strawberry.type(description="A letter to the client.")
class LetterDraft:
    """A letter."""

    subject: str = described("Its subject.")
    body: str = described("Its text, with the client's own figures filled in.")

    @classmethod
    def of(cls, found: Draft, spoken: Speaker) -> Self:
        """Make it from a draft, in a language."""
        return cls(subject=spoken.say(found.subject), body=spoken.paragraphs(found.paragraphs))


@strawberry.type(description="How to deal with this type of client.")
class CommunicationStrategy:
    """A strategy."""

    client_type: str = described("For which type.")
    tone: str = described("How to speak.")
    steps: list[str] = described("What to do, in order.")
    in_writing: list[str] = described("What to put in writing.")
    drafts: list[LetterDraft] = described("Letters to begin with.")

    @classmethod
    def of(cls, found: Strategy, spoken: Speaker) -> Self:
        """Make it from a strategy, in a language."""
        return cls(
            client_type=found.client_type,
            tone=spoken.say(found.tone),
            steps=[spoken.say(step) for step in found.steps],
            in_writing=[spoken.say(one) for one in found.in_writing],
            drafts=[LetterDraft.of(draft, spoken) for draft in found.drafts],
        )


@strawberry.type(description="The last invoice: hours that are not billed yet.")
class FinalInvoiceType:
    """The last invoice."""

    hours: float = described("Hours that are not billed yet.")
    amount: MoneyType | None = described("At this client's own rate, where that is known.")


@strawberry.type(name="Parting", description="How to part well.")
class PartingType:
    """How to part well."""

    obligations: list[str] = described("What is still open on both sides.")
    final_invoice: FinalInvoiceType | None = described("The last invoice; null where all is billed.")
    hand_over: list[str] = described("What to hand over, and how.")
    letter: LetterDraft = described("A letter that ends it.")

    @classmethod
    def of(cls, found: Parting, spoken: Speaker) -> Self:
        """Make it from a parting, in a language."""
        final = found.final_invoice
        last = None
        if final is not None:
            own = None if final.amount is None else MoneyType.of(final.amount)
            last = FinalInvoiceType(hours=final.hours, amount=own)
        return cls(
            obligations=[spoken.say(one) for one in found.obligations],
            final_invoice=last,
            hand_over=[spoken.say(one) for one in found.hand_over],
            letter=LetterDraft.of(found.letter, spoken),
        )


@strawberry.type(
    description="A score and why: decibans add up to total less prior, points to the score less the prior's."
)
class Reasons:
    """A score and why."""

    score: Score = described("The score.")
    prior_decibans: float = described("What was believed before.")
    total_decibans: float = described("What is believed now.")
    reasoned: strawberry.Private[Reasoned]
    spoken: strawberry.Private[Speaker]

    @answered("The six signs' parts.", weight=1, size=6)
    def signs(self) -> list[SignPart]:
        """The six signs' parts."""
        pairs = zip(self.reasoned.assessment.signs, self.reasoned.reasons, strict=True)
        return [SignPart.of(part, reason, self.spoken) for part, reason in pairs]

    @classmethod
    def of(cls, viewpoint: Viewpoint, found: Reasoned, spoken: Speaker) -> Self:
        """Make it from an assessment with its reasons, in a language."""
        assessment = found.assessment
        return cls(
            score=Score.of(viewpoint, assessment),
            prior_decibans=assessment.prior_decibans,
            total_decibans=assessment.total_decibans,
            reasoned=found,
            spoken=spoken,
        )


@strawberry.type(name="Explanation", description="A score, why, how it has moved, and what to do.")
class ExplanationType(Reasons):
    """The whole answer for one client."""

    found: strawberry.Private[Explanation]

    @answered("Against 30 and 90 days ago.")
    def trend(self) -> list[TrendPoint]:
        """Against 30 and 90 days ago."""
        return [TrendPoint.of(one) for one in self.found.trends]

    @answered("What it costs to stay, per month and term by term.")
    def cost_of_staying(self) -> CostOfStaying:
        """What it costs to stay."""
        return CostOfStaying.of(self.found.cost, self.spoken)

    @answered("How to deal with this type of client.")
    def strategy(self) -> CommunicationStrategy:
        """How to deal with this type of client."""
        return CommunicationStrategy.of(self.found.strategy, self.spoken)

    @answered("How to part well, where that is the verdict.")
    def parting(self) -> PartingType | None:
        """How to part well."""
        return None if self.found.parting is None else PartingType.of(self.found.parting, self.spoken)

    @classmethod
    def explained(cls, viewpoint: Viewpoint, found: Explanation, spoken: Speaker) -> Self:
        """Make it from an explanation, in a language."""
        assessment = found.assessment
        return cls(
            score=Score.of(viewpoint, assessment),
            prior_decibans=assessment.prior_decibans,
            total_decibans=assessment.total_decibans,
            reasoned=found.reasoned,
            spoken=spoken,
            found=found,
        )


@strawberry.type(description="How a relationship stood at an instant.")
class HistoryStep:
    """One step of a history."""

    as_of: datetime = described("The instant.")
    score: float = described("0 (keep) to 100 (part).")
    verdict: Verdict = described("What to do.")
    signs: list["SignEvidence"] = described("The evidence, sign by sign.")

    @classmethod
    def of(cls, found: Assessment) -> Self:
        """Make it from an assessment."""
        return cls(
            as_of=found.as_of,
            score=found.score,
            verdict=found.verdict,
            signs=[SignEvidence(sign=SignName(part.sign.name), decibans=part.decibans) for part in found.signs],
        )


@strawberry.type(description="What one sign says.")
class SignEvidence:
    """What one sign says."""

    sign: SignName = described("Which sign.")
    decibans: float = described("Its evidence.")


def _figures(figures: Mapping[str, Figure]) -> list[FigureType]:
    return [FigureType(name=name, value=figure.value, unit=figure.unit) for name, figure in figures.items()]
