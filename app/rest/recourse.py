"""Recourse: what the client could do that would lead to a better verdict."""

from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.core.recourse import ActionKind, Options
from app.core.verdict import Verdict
from app.language import Speaker
from app.rest.answers import Score
from app.rest.etags import AskedOnce
from app.rest.explanation import MoneyAnswer
from app.rest.language import Spoken
from app.rest.paths import ClientIdPath
from app.rest.services import Reader, UsedServices
from app.rest.viewpoint import Viewed
from app.use_cases.viewpoint import Viewpoint

__all__ = ["router"]

router = APIRouter(prefix="/v1/clients", tags=["clients"])


class StepAnswer(BaseModel):
    """One thing to do, on which contract, change or invoices, and how it would stand after it and those before."""

    action: ActionKind
    subjects: list[str] = Field(description="The contract, the change or the invoices; none for the rate.")
    rate: MoneyAnswer | None = Field(description="What an hour would cost, for `accept_rate`; else null.")
    sentence: str
    score: float
    verdict: Verdict


class BetterVerdict(BaseModel):
    """A better verdict and the fewest steps that lead to it."""

    verdict: Verdict
    steps: list[StepAnswer]


class RecourseAnswer(BaseModel):
    """How it stands, and what would lead to each better verdict."""

    now: Score
    recourse: list[BetterVerdict] = Field(
        description="The best verdict last; empty where nothing that the client could do today leads to a better one."
    )
    exact: bool = Field(description="False where the smallest of more than eight open items of a kind count as one.")

    @classmethod
    def of(cls, client_id: str, viewpoint: Viewpoint, found: Options, spoken: Speaker) -> Self:
        """Make it from what was found, in a language."""
        return cls(
            now=Score.of(client_id, viewpoint, found.now),
            recourse=[
                BetterVerdict(
                    verdict=one.verdict,
                    steps=[
                        StepAnswer(
                            action=step.action.kind,
                            subjects=list(step.action.subjects),
                            rate=step.action.rate and MoneyAnswer.of(step.action.rate),
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


@router.get("/{client_id}/recourse", summary="Get a client's recourse")
async def get_recourse(  # noqa: PLR0917 - each is a part of the request
    client_id: ClientIdPath,
    principal: Reader,
    services: UsedServices,
    viewpoint: Viewed,
    spoken: Spoken,
    asked: AskedOnce,
) -> RecourseAnswer:
    """The smallest set of actions for each better verdict: sign, pay, approve, agree; found exactly.

    Sentences are in English or Russian.

    Beyond eight open items of one kind the smallest are one action together, and `exact` is false.
    """
    await asked.refuse_unchanged(principal.tenant_id, client_id, viewpoint, language=spoken.language)
    case = await services.assess.cases.one(principal.tenant_id, client_id, viewpoint)
    found = await case.recourse()
    asked.label(case, spoken.language)
    return RecourseAnswer.of(client_id, viewpoint, found, spoken)
