"""Assessments and portfolios as they are stored: packed small, and read again bit by bit as they were."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from app.core.assessment import Assessment, EvidenceLevel, Interval, SignAssessment
from app.core.client_type import ClientType
from app.core.deal_breakers import Broken
from app.core.events import EventRef
from app.core.policy import DealBreaker
from app.core.portfolio import Portfolio, Share
from app.core.priors import OrdinaryPriors
from app.core.punctuality import Punctuality
from app.core.rates import RateTable
from app.core.recovery import Recovery
from app.core.signs import SIGNS
from app.core.verdict import Verdict
from app.ports.portfolios import PutTogether

__all__ = ["PackedAssessments", "PackedPortfolios"]

_FORM: Final = 1
"""Grows when what is stored takes another form: what has another one is made anew."""
_SIGNS: Final = {sign.name: sign for sign in SIGNS}

T = TypeVar("T")


class _Assessment(msgspec.Struct, array_like=True, frozen=True):
    score: float
    interval: tuple[float, float]
    verdict: Verdict
    deal_breakers: tuple[tuple[DealBreaker, str, str, str], ...]
    evidence_level: EvidenceLevel
    as_of: datetime
    policy_version: str
    client_type: tuple[str, float, dict[str, float]]
    prior_decibans: float
    total_decibans: float
    signs: tuple[tuple[str, float, float], ...]


class _Portfolio(msgspec.Struct, array_like=True, frozen=True):
    punctuality: Punctuality
    recovery: Recovery
    habits: OrdinaryPriors


class PackedAssessments:
    """Keeps the promise of `app.ports.assessments.AssessmentFormat`."""

    def dump(self, assessment: Assessment) -> bytes:
        """Write one; see the port."""
        kind = assessment.client_type
        return _dump(
            _Assessment(
                assessment.score,
                (assessment.interval.low, assessment.interval.high),
                assessment.verdict,
                tuple((one.name, one.subject, one.event.source, one.event.id) for one in assessment.deal_breakers),
                assessment.evidence_level,
                assessment.as_of,
                assessment.policy_version,
                (kind.name, kind.probability, dict(kind.probabilities)),
                assessment.prior_decibans,
                assessment.total_decibans,
                tuple((part.sign.name, part.decibans, part.points) for part in assessment.signs),
            )
        )

    def load(self, content: bytes) -> Assessment | None:
        """Read one; see the port."""
        found = _load(content, _Assessment)
        if found is None or any(name not in _SIGNS for name, _, _ in found.signs):
            return None
        return Assessment(
            score=found.score,
            interval=Interval(*found.interval),
            verdict=found.verdict,
            deal_breakers=tuple(
                Broken(name, subject, EventRef(source, event)) for name, subject, source, event in found.deal_breakers
            ),
            evidence_level=found.evidence_level,
            as_of=found.as_of,
            policy_version=found.policy_version,
            client_type=ClientType(*found.client_type),
            prior_decibans=found.prior_decibans,
            total_decibans=found.total_decibans,
            signs=tuple(SignAssessment(_SIGNS[name], decibans, points) for name, decibans, points in found.signs),
        )


class PackedPortfolios:
    """Keeps the promise of `app.ports.portfolios.PortfolioFormat`."""

    def dump(self, made: PutTogether) -> tuple[bytes, bytes]:
        """Write a portfolio; see the port. The rates are in order, so that sorting them again costs nothing."""
        portfolio = made.portfolio
        ordered = sorted((value, hours, client) for client, (value, hours) in made.log_rates.items())
        content = _dump(_Portfolio(portfolio.punctuality, portfolio.recovery, portfolio.habits))
        # A policy may say 1 where another says 1.0; written again as it is read, they are the same.
        return _dump(_load(content, _Portfolio)), _dump(ordered)

    def load(self, content: bytes, rates: bytes) -> Portfolio | None:
        """Read one; see the port."""
        found, ordered = _load(content, _Portfolio), _load(rates, list[tuple[float, float, str]])
        if found is None or ordered is None:
            return None
        table = RateTable({client: (value, hours) for value, hours, client in ordered})
        return Portfolio(found.punctuality, found.recovery, found.habits, table.without(""), table)

    def dump_share(self, share: Share) -> bytes:
        """Write a share; see the port."""
        return _dump(share)

    def load_share(self, content: bytes) -> Share | None:
        """Read one; see the port."""
        return _load(content, Share)


def _dump(found: Any) -> bytes:
    return msgspec.msgpack.encode((_FORM, found))


def _load(content: bytes, kind: type[T]) -> T | None:
    try:
        form, found = _decoder(kind).decode(content)
    except msgspec.DecodeError:
        return None
    return found if form == _FORM else None


def _decoder(kind: type[T]) -> "msgspec.msgpack.Decoder[tuple[int, T]]":
    decoder: msgspec.msgpack.Decoder[tuple[int, T]] = _DECODERS[kind]
    return decoder


_DECODERS: Final[Mapping[Any, Any]] = {
    kind: msgspec.msgpack.Decoder(tuple[int, kind])  # type: ignore[valid-type]
    for kind in (_Assessment, _Portfolio, Share, list[tuple[float, float, str]])
}
