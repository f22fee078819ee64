"""Digests: what changed in the portfolio in a period and why, ready to be mailed."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Final, Self

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from app.core.money import Money
from app.core.net_change import NetKind
from app.core.verdict import Verdict
from app.language.digest_mail import as_html, as_mail, as_text
from app.language.digests import SaidClient, SaidDigest, SaidReason, say_digest
from app.rest.bodies import JsonRoute
from app.rest.changes import ReadingAnswer, place_in
from app.rest.etags import UnchangedError, quoted, read_tagger, wanted_tags
from app.rest.explanation import MoneyAnswer
from app.rest.language import Spoken
from app.rest.parameters import MOMENT, moment
from app.rest.services import Permitted, UsedServices
from app.use_cases.digests import MOST_CLIENTS, USUAL_CLIENTS, Digest, Wanted
from app.use_cases.errors import InvalidRequestError
from app.wire.cursors import CHANGES, MOST_CHARACTERS
from app.wire.media import best_media
from app.wire.periods import PERIOD_PATTERN, read_period

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["clients"], route_class=JsonRoute)

_JSON: Final = "application/json"
TEXT: Final = "text/plain"
HTML: Final = "text/html"
MAIL: Final = "message/rfc822"
_FORMS: Final = (_JSON, TEXT, HTML, MAIL)
_LONGEST: Final = 1000


class DigestCounts(BaseModel):
    """How many clients, by what became of them between the two ends of the period."""

    worse: int = Field(description="A worse verdict, or the same one and a score that is ten points higher or more.")
    better: int = Field(description="The other way round.")
    new: int = Field(description="Assessed for the first time.")
    returned: int = Field(description="With another verdict between, and the same one again.")
    slight: int = Field(description="With another type, or a score that moved by less than ten points; not in `items`.")


class DigestVerdict(BaseModel):
    """How many clients have a verdict."""

    verdict: Verdict
    clients: int


class DigestPortfolio(BaseModel):
    """How the whole portfolio stands now."""

    clients: int
    by_verdict: list[DigestVerdict] = Field(description="From best to worst; verdicts that nobody has too.")
    money_at_risk: list[MoneyAnswer] = Field(
        description="Open amounts of invoices that are overdue or whose payment was taken back, by currency."
    )
    stale: int = Field(
        description="How many clients are still to be assessed, and told of when they are; counted up to 1,000."
    )


class DigestReason(BaseModel):
    """By how much one sign moved the score: of a new client, from where all scores begin."""

    sign: str
    title: str
    decibans: float
    points: float
    sentence: str = Field(description="How the sign stands at the end of the period.")

    @classmethod
    def of(cls, said: SaidReason) -> Self:
        """Make it from what is said."""
        return cls(sign=said.sign, title=said.title, decibans=said.decibans, points=said.points, sentence=said.sentence)


class DigestClient(BaseModel):
    """What became of one client."""

    client_id: str
    name: str | None
    kind: NetKind
    before: ReadingAnswer | None = Field(description="At the beginning of the period; null for a new client.")
    after: ReadingAnswer = Field(description="At its end.")
    between: Verdict | None = Field(description="Of one that returned, the verdict between; null of others.")
    change: float | None = Field(description="Of the score; null for a new client.")
    reasons: list[DigestReason] = Field(description="The signs that moved the score, what moved it most first.")
    rest: float = Field(
        description="Points of `change` that no sign moved: other clients, another policy, or what was told late."
    )
    remarks: list[str] = Field(description="What else is to be known.")
    money_at_risk: list[MoneyAnswer] = Field(description="What is overdue or was taken back, by currency.")
    first_step: str = Field(description="What to do first.")

    @classmethod
    def of(cls, said: SaidClient) -> Self:
        """Make it from what is said."""
        change, account = said.found.change, said.found.account
        return cls(
            client_id=change.client_id,
            name=account.name,
            kind=change.kind,
            before=change.before and ReadingAnswer.of(change.before),
            after=ReadingAnswer.of(change.after),
            between=change.between if change.kind is NetKind.RETURNED else None,
            change=said.found.points,
            reasons=[DigestReason.of(one) for one in said.reasons],
            rest=said.found.rest,
            remarks=list(said.remarks),
            money_at_risk=_money(Money(amount, currency) for currency, amount in account.at_risk.items()),
            first_step=said.first_step,
        )


class DigestAnswer(BaseModel):
    """What changed in the portfolio; `items` has the clients that matter most, in that order."""

    since: datetime = Field(alias="from", description="Where the period begins.")
    until: datetime = Field(description="Where it ends; what was stored then or later is not told.")
    subject: str = Field(description="For a mail.")
    counts: DigestCounts
    items: list[DigestClient]
    not_shown: int = Field(description="How many clients became worse, better or new, or returned, beyond `items`.")
    portfolio: DigestPortfolio | None = Field(description="Null where the period ended before now.")
    next: str = Field(
        description="The place of the feed that is told of: with it as `after=`, the next digest begins just behind "
        "it, and so does `GET /v1/changes`."
    )
    policy_version: str = Field(description="The active policy.")

    @classmethod
    def of(cls, found: Digest, said: SaidDigest, cursor: str) -> Self:
        """Make it from a digest and what is said of it."""
        outline = found.outline
        return cls(
            **{"from": outline.since},
            until=outline.until,
            subject=said.subject,
            counts=DigestCounts(**{kind.value: count for kind, count in found.counts.items()}),
            items=[DigestClient.of(one) for one in said.clients],
            not_shown=found.not_shown,
            portfolio=outline.shown
            and DigestPortfolio(
                clients=outline.shown.count,
                by_verdict=[
                    DigestVerdict(verdict=one, clients=clients) for one, clients in outline.shown.by_verdict.items()
                ],
                money_at_risk=_money(one for one in outline.shown.money_at_risk if one.amount),
                stale=outline.shown.state.stale,
            ),
            next=cursor,
            policy_version=outline.policy.version,
        )


def _money(found: Iterable[Money]) -> list[MoneyAnswer]:
    return [MoneyAnswer.of(one) for one in found]


_AS_TEXT: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The digest, in the form that `Accept` asks for.",
        "content": {media: {"schema": {"type": "string"}} for media in (TEXT, HTML, MAIL)},
    }
}


@router.get(
    "/portfolio/changes",
    response_model=DigestAnswer,
    responses=_AS_TEXT,
    summary="Get a digest of what changed in the portfolio",
)
async def get_portfolio_changes(  # noqa: PLR0917 - parameters of the query
    request: Request,
    response: Response,
    principal: Permitted,
    services: UsedServices,
    spoken: Spoken,
    period: Annotated[
        str | None,
        Query(
            max_length=10,
            json_schema_extra={"pattern": PERIOD_PATTERN},
            description="So many days up to `until`, by your clock: 1d to 30d, 1w to 4w, or P7D as ISO 8601 has it. By "
            "default a week. Up to now it begins with the full hour.",
            examples=["7d"],
        ),
    ] = None,
    begins: Annotated[
        str | None,
        Query(
            alias="from",
            max_length=40,
            json_schema_extra=MOMENT,
            description="Where the period begins, instead of `period`: an RFC 3339 instant, or a day: its beginning in "
            "your zone. Changes are kept for 30 days.",
            examples=["2026-11-16"],
        ),
    ] = None,
    until: Annotated[
        str | None,
        Query(
            max_length=40,
            json_schema_extra=MOMENT,
            description="Where it ends: an RFC 3339 instant, or a day: its end in your zone. By default, and where "
            "that is still to come, now.",
            examples=["2026-11-22"],
        ),
    ] = None,
    after: Annotated[
        str | None,
        Query(
            json_schema_extra={"maxLength": MOST_CHARACTERS, "pattern": "^[A-Za-z0-9_-]*$"},
            description="`next` of the digest before, instead of a period: so nothing is left out between two of them, "
            "and nothing is told twice.",
            examples=["AbCdEf0123456789"],
        ),
    ] = None,
    limit: Annotated[
        int,
        Query(ge=1, le=MOST_CLIENTS, description="Clients at most that are told of one by one.", examples=[20]),
    ] = USUAL_CLIENTS,
) -> Any:
    """What became of the clients between the two ends of a period, why, and what to do first: the net change.

    It is for people to read: as JSON, or as `text/plain` (whose first line is the subject), `text/html` (the body of a
    mail) or `message/rfc822` (a mail with both), by `Accept`. Clients that matter most come first. Who had another
    verdict in between and has the same again is told of as such, last.

    It reads the feed of changes and assesses only the clients that it tells of.
    """
    media = best_media(",".join(request.headers.getlist("accept"))[:_LONGEST], _FORMS) or _JSON
    places = await services.cursors.of(principal.tenant_id, CHANGES)
    wanted = _wanted(period, begins, until, None if after is None else place_in(places, after, "?after"), limit)
    tagger = await read_tagger(request, principal, services, media, spoken.language)
    outline = await services.digests.outline(principal.tenant_id, wanted)
    headers = {"Vary": "Accept, Accept-Language", "Content-Language": spoken.language}
    if (known := wanted_tags(request)) and tagger.knows(known, *outline.parts):
        raise UnchangedError(tagger.tag(*outline.parts), headers)
    headers["ETag"] = quoted(tagger.tag(*outline.parts))
    found = await services.digests.digest(outline)
    said = say_digest(found, spoken)
    if media == _JSON:
        response.headers.update(headers)
        return DigestAnswer.of(found, said, places.encode(str(outline.part.until)))
    body = as_mail(said) if media == MAIL else as_html(said) if media == HTML else as_text(said)
    return Response(body, headers=headers, media_type=media)


def _wanted(period: str | None, begins: str | None, until: str | None, after: int | None, limit: int) -> Wanted:
    days = None
    if period is not None:
        try:
            days = read_period(period)
        except ValueError as error:
            raise InvalidRequestError("?period", str(error)) from None
    if days is not None and begins is not None:
        raise InvalidRequestError("?period", "expected either `period` or `from`")
    if after is not None and (period, begins, until) != (None, None, None):
        raise InvalidRequestError("?after", "expected either `after`, or `period`, `from` and `until`")
    return Wanted(days, moment(begins, "from"), moment(until, "until"), after, limit)
