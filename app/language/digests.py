"""Digests in a language: every word of them, for whoever lays them out."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Final

from app.core.message import N_, Message
from app.core.money import Money
from app.core.net_change import NetKind
from app.core.reasons import Reasoned, sentence_of
from app.core.signs import Reason, Sign
from app.core.verdict import Verdict
from app.core.words import CLIENT_TYPES, COUNTED, DEAL_BREAKERS, VERDICTS
from app.language.speaker import Speaker
from app.use_cases.digests import ClientDigest, Digest

__all__ = ["SaidClient", "SaidDigest", "SaidReason", "Section", "say_digest"]

_WORTH_TELLING: Final = 1.0
"""Points."""
_MOST_REASONS: Final = 3
_TICK: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class SaidReason:
    """By how much one sign moved a score, and why: for a new client from where all scores begin."""

    sign: str
    title: str
    decibans: float
    points: float
    sentence: str
    line: str


@dataclass(frozen=True, slots=True)
class SaidClient:
    """One client.

    Attributes:
        found: what is told.
        name: its name, or else its id.
        verdict, verdict_before: the verdicts for people; the latter None for a new client.
        score: how the score moved.
        client_type: what kind of client it seems to be, and seemed before.
        reasons: the signs that moved the score, what moved it most first.
        remarks: what else is to be known.
        at_risk: money; None where there is none.
        first_step: what to do first.
        advice: the same, as a line of its own.
    """

    found: ClientDigest
    name: str
    verdict: str
    verdict_before: str | None
    score: str
    client_type: str
    reasons: Sequence[SaidReason]
    remarks: Sequence[str]
    at_risk: str | None
    first_step: str
    advice: str

    @property
    def is_well(self) -> bool:
        """Whether there is nothing to explain and nothing to do: it has returned, or is new and all is well."""
        change = self.found.change
        is_well = change.kind is NetKind.NEW and change.after.verdict is Verdict.KEEP
        return is_well or change.kind is NetKind.RETURNED

    @property
    def chief_reasons(self) -> Sequence[SaidReason]:
        """The few that are worth telling people."""
        if self.is_well:
            return ()
        return [one for one in self.reasons if abs(one.points) >= _WORTH_TELLING][:_MOST_REASONS]


@dataclass(frozen=True, slots=True)
class Section:
    """Clients of whom the same became."""

    title: str
    clients: Sequence[SaidClient]


@dataclass(frozen=True, slots=True)
class SaidDigest:
    """A digest.

    Attributes:
        language: of all of it.
        subject: of a mail.
        opening: how the portfolio stands, line by line.
        sections: the clients, those that matter most first.
        closing: what is not told of in full, line by line.
        why: the heading of reasons.
    """

    language: str
    subject: str
    opening: Sequence[str]
    sections: Sequence[Section]
    closing: Sequence[str]
    why: str

    @property
    def clients(self) -> Iterator[SaidClient]:
        """All clients, in their order."""
        return (one for section in self.sections for one in section.clients)


def say_digest(found: Digest, spoken: Speaker) -> SaidDigest:
    """Say a digest in a language."""
    clients = [_client(one, spoken) for one in found.clients]
    return SaidDigest(
        language=spoken.language,
        subject=spoken.say(_subject(found)),
        opening=[spoken.say(one) for one in _opening(found)],
        sections=[
            Section(spoken.translated(title), list(some))
            for title, some in groupby(clients, key=lambda one: _section(one.found))
        ],
        closing=[spoken.say(one) for one in _closing(found)],
        why=spoken.translated(N_("Why")),
    )


def _subject(found: Digest) -> Message:
    outline = found.outline
    day_of = outline.policy.calendar.day_of
    ends = {"since": day_of(outline.since), "until": day_of(outline.until - _TICK)}
    counted = [
        Message(template, {"clients": found.counts[kind]}) for kind, template in COUNTED.items() if found.counts[kind]
    ]
    if not counted:
        return Message(N_("Your clients, {since:short} to {until}: nothing of note"), ends)
    return Message(N_("Your clients, {since:short} to {until}: {changes}"), {**ends, "changes": _listed(counted)})


def _opening(found: Digest) -> Iterator[Message]:
    told = sum(found.counts[kind] for kind in COUNTED)
    if not told:
        yield Message(N_("No client became worse or better, and there is no new one."))
    shown = found.outline.shown
    if shown is None or not shown.count:
        return
    verdicts = [
        Message(N_("{verdict} {clients:count}"), {"verdict": Message(VERDICTS[verdict]), "clients": clients})
        for verdict, clients in shown.by_verdict.items()
        if clients
    ]
    yield Message(N_("{clients:client} now: {verdicts}."), {"clients": shown.count, "verdicts": _listed(verdicts)})
    at_risk = [one for one in shown.money_at_risk if one.amount]
    if at_risk:
        yield Message(N_("Overdue or taken back in all: {amounts}."), {"amounts": _amounts(at_risk)})


def _closing(found: Digest) -> Iterator[Message]:
    outline = found.outline
    if found.not_shown:
        yield Message(N_("Changed too, and not listed here: {clients:client}."), {"clients": found.not_shown})
    slight = found.counts[NetKind.SLIGHT]
    if slight:
        yield Message(N_("Moved a little, with the same verdict: {clients:client}."), {"clients": slight})
    if outline.shown is not None and outline.shown.state.stale:
        yield Message(
            N_("Still to be assessed, and told of next time: {clients:client}."),
            {"clients": outline.shown.state.stale},
        )
    if outline.net.cut is not None:
        since = outline.policy.calendar.day_of(outline.since)
        yield Message(N_("There were more changes than fit in here: told are those from {since} on."), {"since": since})


def _section(found: ClientDigest) -> str:
    match found.change.kind:
        case NetKind.WORSE:
            return N_("Worse")
        case NetKind.BETTER:
            return N_("Better")
        case NetKind.NEW if found.change.after.verdict is Verdict.KEEP:
            return N_("New, and nothing to worry about")
        case NetKind.NEW:
            return N_("New, and something to look at")
    return N_("Back where they were")


def _client(found: ClientDigest, spoken: Speaker) -> SaidClient:
    change, account = found.change, found.account
    before, after = change.before, change.after
    first_step = spoken.say(account.first_step)
    at_risk = [Money(amount, currency) for currency, amount in account.at_risk.items()]
    return SaidClient(
        found=found,
        name=account.name or change.client_id,
        verdict=spoken.translated(VERDICTS[after.verdict]),
        verdict_before=None if before is None else spoken.translated(VERDICTS[before.verdict]),
        score=spoken.say(
            Message(N_("Score {score:count}"), {"score": after.score})
            if before is None
            else Message(N_("Score {before:count} → {score:count}"), {"before": before.score, "score": after.score})
        ),
        client_type=spoken.say(_client_type(found)),
        reasons=[_reason(*one, spoken) for one in _moves(found)],
        remarks=[spoken.say(one) for one in _remarks(found)],
        at_risk=spoken.say(Message(N_("At risk: {amounts}"), {"amounts": _amounts(at_risk)})) if at_risk else None,
        first_step=first_step,
        advice=spoken.say(Message(N_("Do first: {step}"), {"step": first_step})),
    )


def _client_type(found: ClientDigest) -> Message:
    before, after = found.change.before, found.change.after
    now = _type_name(after.client_type)
    if before is None or before.client_type == after.client_type:
        return Message(N_("Type: {type}"), {"type": now})
    return Message(N_("Type: {type}, before: {before}"), {"type": now, "before": _type_name(before.client_type)})


def _type_name(client_type: str) -> Message:
    # What another version of this program has stored may have a name that is not known here.
    return (
        Message(CLIENT_TYPES[client_type]) if client_type in CLIENT_TYPES else Message("{name}", {"name": client_type})
    )


def _moves(found: ClientDigest) -> Iterator[tuple[Sign, Reason, float, float]]:
    """The signs that moved the score: with a new client those that weigh anything, from where scores begin."""
    reasoned = found.account.reasoned
    reasons = _by_sign(reasoned)
    if found.change.before is None:
        parts = [part for part in reasoned.assessment.signs if part.decibans > 0]
        for part in sorted(parts, key=lambda part: -part.decibans):
            yield part.sign, reasons[part.sign.name], part.decibans, part.points
        return
    for one in found.account.moved.moved:
        yield one.sign, reasons[one.sign.name], one.decibans, one.points


def _by_sign(reasoned: Reasoned) -> Mapping[str, Reason]:
    return {part.sign.name: one for part, one in zip(reasoned.assessment.signs, reasoned.reasons, strict=True)}


def _reason(sign: Sign, reason: Reason, decibans: float, points: float, spoken: Speaker) -> SaidReason:
    title, sentence = spoken.translated(sign.title), spoken.say(sentence_of(sign, reason))
    line = Message("{points:signed} {title}. {sentence}", {"points": points, "title": title, "sentence": sentence})
    return SaidReason(sign.name, title, decibans, points, sentence, spoken.say(line))


def _remarks(found: ClientDigest) -> Iterator[Message]:
    change = found.change
    if change.after.verdict is Verdict.PART:
        for name in dict.fromkeys(one.name for one in found.account.after.deal_breakers):
            yield Message(DEAL_BREAKERS[name])
    if change.kind is NetKind.RETURNED:
        yield Message(N_("In between: {verdict}."), {"verdict": Message(VERDICTS[change.between])})
    if abs(found.rest) >= _WORTH_TELLING:
        yield Message(
            N_("{points:signed} not by the client: other clients, another policy, or news that came late."),
            {"points": found.rest},
        )


def _amounts(found: Iterable[Money]) -> Message:
    return _listed([Message("{amount}", {"amount": one}) for one in found])


def _listed(found: Sequence[Message]) -> Message:
    """Some things after each other."""
    first, *rest = found
    return Message("{first}, {rest}", {"first": first, "rest": _listed(rest)}) if rest else first
