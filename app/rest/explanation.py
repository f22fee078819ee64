"""What the API answers on why a score is what it is, and what to do: sentences and letters in a language."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Self

from pydantic import BaseModel, Field

from app.core.assessment import SignAssessment
from app.core.cost import Cost
from app.core.explanation import Explanation
from app.core.money import Money
from app.core.parting import Parting
from app.core.reasons import Reasoned, sentence_of
from app.core.signs import Figure, Reason
from app.core.strategies import Draft, Strategy
from app.core.trend import Trend
from app.core.verdict import Verdict
from app.language import Speaker
from app.rest.answers import Moved, Score, score_fields
from app.use_cases.viewpoint import Viewpoint

__all__ = ["ExplanationAnswer", "MoneyAnswer", "Reasons"]


class SignAnswer(BaseModel):
    """One sign's part; `units` has the unit of each figure, `held_against` what an ordinary client would show."""

    sign: str
    title: str
    decibans: float
    points: float
    reason_code: str
    figures: dict[str, float]
    units: dict[str, str]
    held_against: dict[str, float]
    events: list[str]
    sentence: str


class ClientTypeAnswer(BaseModel):
    """What kind of client this is; `unknown` where nothing is known. The probabilities add up to 1."""

    name: str
    probability: float
    probabilities: dict[str, float]


class Reasons(Score):
    """The score and why: decibans add up to total - prior, points to score - score of the prior."""

    client_type: ClientTypeAnswer
    prior_decibans: float
    total_decibans: float
    signs: list[SignAnswer]

    @classmethod
    def said(cls, client_id: str, viewpoint: Viewpoint, reasoned: Reasoned, spoken: Speaker) -> Self:
        """Make it from an assessment with its reasons, in a language."""
        found = reasoned.assessment
        return cls(
            **score_fields(client_id, viewpoint, found),
            client_type=ClientTypeAnswer(
                name=found.client_type.name,
                probability=found.client_type.probability,
                probabilities=dict(found.client_type.probabilities),
            ),
            prior_decibans=found.prior_decibans,
            total_decibans=found.total_decibans,
            signs=[_sign(*one, spoken) for one in zip(found.signs, reasoned.reasons, strict=True)],
        )


class TrendAnswer(BaseModel):
    """Then, and which signs moved the score since; their points add up to `change`."""

    days: int
    score: float
    verdict: Verdict
    change: float = Field(description="The score now less the score then.")
    moved: list[Moved]

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


class CostTermAnswer(BaseModel):
    """One part of the cost, per month; null where it is not known what an hour is worth."""

    term: str
    amount: Decimal | None
    figures: dict[str, float]
    units: dict[str, str]
    sentence: str


class CostAnswer(BaseModel):
    """Money per month beside what the client brings; invoices in `left_out` currencies are in no amount."""

    currency: str
    per_month: Decimal
    days: int = Field(description="How many days the figures are of.")
    terms: list[CostTermAnswer]
    left_out: list[str]

    @classmethod
    def of(cls, found: Cost, spoken: Speaker) -> Self:
        """Make it from a cost."""
        return cls(
            currency=found.currency,
            per_month=found.per_month,
            days=found.days,
            terms=[
                CostTermAnswer(
                    term=term.name,
                    amount=term.amount,
                    figures=_values(term.figures),
                    units=_units(term.figures),
                    sentence=spoken.say(term.message),
                )
                for term in found.terms
            ],
            left_out=list(found.left_out),
        )


class DraftAnswer(BaseModel):
    """A letter to the client."""

    subject: str
    body: str

    @classmethod
    def of(cls, found: Draft, spoken: Speaker) -> Self:
        """Make it from a draft."""
        return cls(subject=spoken.say(found.subject), body=spoken.paragraphs(found.paragraphs))


class StrategyAnswer(BaseModel):
    """How to deal with this client."""

    client_type: str = Field(
        description="The type that it is for: the likeliest that fits the verdict, so never `reliable_partner` where "
        "that is worse than `keep`."
    )
    tone: str
    steps: list[str]
    in_writing: list[str] = Field(description="What to put in writing.")
    drafts: list[DraftAnswer]

    @classmethod
    def of(cls, found: Strategy, spoken: Speaker) -> Self:
        """Make it from a strategy."""
        return cls(
            client_type=found.client_type,
            tone=spoken.say(found.tone),
            steps=[spoken.say(step) for step in found.steps],
            in_writing=[spoken.say(one) for one in found.in_writing],
            drafts=[DraftAnswer.of(draft, spoken) for draft in found.drafts],
        )


class MoneyAnswer(BaseModel):
    """An amount in an ISO 4217 currency."""

    amount: Decimal
    currency: str

    @classmethod
    def of(cls, found: Money) -> Self:
        """Make it from money."""
        return cls(amount=found.amount, currency=found.currency)


class FinalInvoiceAnswer(BaseModel):
    """Hours that are not billed yet, and what they come to at this client's own rate, where that is known."""

    hours: float
    amount: MoneyAnswer | None


class PartingAnswer(BaseModel):
    """How to part well."""

    obligations: list[str]
    final_invoice: FinalInvoiceAnswer | None
    hand_over: list[str]
    letter: DraftAnswer

    @classmethod
    def of(cls, found: Parting, spoken: Speaker) -> Self:
        """Make it from a parting."""
        final = found.final_invoice
        return cls(
            obligations=[spoken.say(one) for one in found.obligations],
            final_invoice=final
            and FinalInvoiceAnswer(hours=final.hours, amount=final.amount and MoneyAnswer.of(final.amount)),
            hand_over=[spoken.say(one) for one in found.hand_over],
            letter=DraftAnswer.of(found.letter, spoken),
        )


class ExplanationAnswer(Reasons):
    """The score, why, how it has moved, what it costs to stay, and what to do; `parting` where that is the verdict."""

    trend: list[TrendAnswer]
    cost_of_staying: CostAnswer
    strategy: StrategyAnswer
    parting: PartingAnswer | None

    @classmethod
    def explained(cls, client_id: str, viewpoint: Viewpoint, found: Explanation, spoken: Speaker) -> Self:
        """Make it from an explanation, in a language."""
        return cls(
            **dict(Reasons.said(client_id, viewpoint, found.reasoned, spoken)),
            trend=[TrendAnswer.of(one) for one in found.trends],
            cost_of_staying=CostAnswer.of(found.cost, spoken),
            strategy=StrategyAnswer.of(found.strategy, spoken),
            parting=found.parting and PartingAnswer.of(found.parting, spoken),
        )


def _values(figures: Mapping[str, Figure]) -> dict[str, float]:
    return {name: figure.value for name, figure in figures.items()}


def _units(figures: Mapping[str, Figure]) -> dict[str, str]:
    return {name: figure.unit for name, figure in figures.items()}


def _sign(part: SignAssessment, reason: Reason, spoken: Speaker) -> SignAnswer:
    return SignAnswer(
        sign=part.sign.name,
        title=spoken.translated(part.sign.title),
        decibans=part.decibans,
        points=part.points,
        reason_code=reason.code,
        figures=_values(reason.figures),
        units=_units(reason.figures),
        held_against=_values(reason.held_against),
        events=[ref.id for ref in reason.events],
        sentence=spoken.say(sentence_of(part.sign, reason)),
    )
