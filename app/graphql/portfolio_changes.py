"""What changed in a portfolio: the same as `GET /v1/portfolio/changes`."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Self

import strawberry

from app.core.money import Money
from app.core.net_change import NetKind
from app.core.verdict import Verdict
from app.graphql.context import Context
from app.graphql.costs import Cost
from app.graphql.errors import coded
from app.graphql.fields import answered, described
from app.graphql.languages import LanguageName, spoken
from app.graphql.money import MoneyType
from app.graphql.scalars import Moment
from app.graphql.score_changes import AssessmentReading
from app.graphql.scores import SignName
from app.language.digest_mail import as_html, as_text
from app.language.digests import SaidClient, SaidDigest, SaidReason, say_digest
from app.use_cases.digests import MOST_CLIENTS, USUAL_CLIENTS, Digest, Wanted
from app.wire.cursors import CHANGES
from app.wire.periods import read_period

__all__ = ["PortfolioChanges", "portfolio_changes"]

strawberry.enum(
    NetKind,
    name="NetChangeKind",
    description="What became of a client between two ends of a period: by its verdict, or by ten points of its score.",
)


@strawberry.type(description="By how much one sign moved a score: of a new client, from where all scores begin.")
class ChangeReason:
    """By how much one sign moved a score."""

    sign: SignName = described("Which sign.")
    title: str = described("The sign, for people.")
    decibans: float = described("The change of its evidence.")
    points: float = described("Its part of the change of the score.")
    sentence: str = described("How the sign stands at the end of the period, for people.")

    @classmethod
    def of(cls, said: SaidReason) -> Self:
        """Make it from what is said."""
        return cls(
            sign=SignName(said.sign),
            title=said.title,
            decibans=said.decibans,
            points=said.points,
            sentence=said.sentence,
        )


@strawberry.type(description="What became of one client.")
class ClientChange:
    """What became of one client."""

    client_id: str = described("The tenant's own id.")
    name: str | None = described("Its name, where it is known.")
    kind: NetKind = described("What became of it.")
    before: AssessmentReading | None = described("At the beginning of the period; null for a new client.")
    after: AssessmentReading = described("At its end.")
    between: Verdict | None = described("Of one that returned, the verdict between; null of others.")
    change: float | None = described("Of the score; null for a new client.")
    reasons: list[ChangeReason] = described(
        "The signs that moved the score, what moved it most first.", directives=[Cost(size=6)]
    )
    rest: float = described(
        "Points of `change` that no sign moved: other clients, another policy, or what was told late."
    )
    remarks: list[str] = described("What else is to be known.")
    money_at_risk: list[MoneyType] = described("What is overdue or was taken back, by currency.")
    first_step: str = described("What to do first.")

    @classmethod
    def of(cls, said: SaidClient) -> Self:
        """Make it from what is said."""
        change, account = said.found.change, said.found.account
        return cls(
            client_id=change.client_id,
            name=account.name,
            kind=change.kind,
            before=None if change.before is None else AssessmentReading.of(change.before),
            after=AssessmentReading.of(change.after),
            between=change.between if change.kind is NetKind.RETURNED else None,
            change=said.found.points,
            reasons=[ChangeReason.of(one) for one in said.reasons],
            rest=said.found.rest,
            remarks=list(said.remarks),
            money_at_risk=_money(Money(amount, currency) for currency, amount in account.at_risk.items()),
            first_step=said.first_step,
        )


@strawberry.type(description="How many clients, by what became of them.")
class ChangeCounts:
    """How many clients, by what became of them."""

    worse: int = described("A worse verdict, or the same one and a score that is ten points higher or more.")
    better: int = described("The other way round.")
    new: int = described("Assessed for the first time.")
    returned: int = described("With another verdict between, and the same one again.")
    slight: int = described("With another type, or a score that moved by less than ten points; not in `items`.")


@strawberry.type(
    description="What became of the clients in a period, and why: the net change. The same as "
    "`GET /v1/portfolio/changes`."
)
class PortfolioChanges:
    """What became of the clients in a period."""

    since: datetime = described("Where the period begins.", name="from")
    until: datetime = described("Where it ends; what was stored then or later is not told.")
    subject: str = described("For a mail.")
    counts: ChangeCounts = described("How many clients.")
    items: list[ClientChange] = described(
        "The clients that matter most, in that order.", directives=[Cost(size=USUAL_CLIENTS)]
    )
    not_shown: int = described("How many clients became worse, better or new, or returned, beyond `items`.")
    next: str = described("For `after`: the next digest begins just behind this one, and so does `GET /v1/changes`.")
    said: strawberry.Private[SaidDigest]

    @answered("The same as plain text, whose first line is the subject.", weight=5)
    def text(self) -> str:
        """Plain text."""
        return as_text(self.said)

    @answered("The same as the HTML of a mail.", weight=5)
    def html(self) -> str:
        """HTML."""
        return as_html(self.said)

    @classmethod
    def of(cls, found: Digest, said: SaidDigest, cursor: str) -> Self:
        """Make it from a digest and what is said of it."""
        return cls(
            since=found.outline.since,
            until=found.outline.until,
            subject=said.subject,
            counts=ChangeCounts(**{kind.value: count for kind, count in found.counts.items()}),
            items=[ClientChange.of(one) for one in said.clients],
            not_shown=found.not_shown,
            next=cursor,
            said=said,
        )


async def portfolio_changes(  # noqa: PLR0917 - the arguments in the API
    context: Context,
    period: str | None,
    begins: Moment | None,
    until: Moment | None,
    after: str | None,
    first: int | None,
    language: LanguageName | None,
) -> PortfolioChanges:
    """What changed."""
    limit = USUAL_CLIENTS if first is None else first
    if not 1 <= limit <= MOST_CLIENTS:
        raise coded(f"expected first to be 1 to {MOST_CLIENTS}", "BAD_USER_INPUT", argument="first")
    if period is not None and begins is not None:
        raise coded("expected either `period` or `from`", "BAD_USER_INPUT", argument="period")
    if after is not None and (period, begins, until) != (None, None, None):
        raise coded("expected either `after`, or `period`, `from` and `until`", "BAD_USER_INPUT", argument="after")
    places = await context.services.cursors.of(context.tenant_id, CHANGES)
    try:
        days = None if period is None else read_period(period)
    except ValueError as error:
        raise coded(str(error), "BAD_USER_INPUT", argument="period") from None
    try:
        place = None if after is None else int(places.decode(after, 1)[0])
    except ValueError:
        raise coded("expected `next` of a digest, or of changes", "BAD_USER_INPUT", argument="after") from None
    wanted = Wanted(days, _read(begins), _read(until), place, limit)
    outline = await context.services.digests.outline(context.tenant_id, wanted)
    found = await context.services.digests.digest(outline)
    said = say_digest(found, spoken(context, language))
    return PortfolioChanges.of(found, said, places.encode(str(outline.part.until)))


def _read(moment: Moment | None) -> datetime | date | None:
    assert moment is None or isinstance(moment, date)
    return moment


def _money(found: Iterable[Money]) -> list[MoneyType]:
    return [MoneyType.of(one) for one in found]
