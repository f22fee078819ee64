"""The client type: what kind of client this is, as far as the signs tell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.core.decibans import quantised

__all__ = ["ClientType", "client_type_of"]

_RELIABLE: Final = "reliable_partner"
_UNKNOWN: Final = "unknown"
_RELIABLE_SHARE: Final = 0.6
"""How many clients are reliable, before anything is known of one; the rest is shared by the other types evenly."""


@dataclass(frozen=True, slots=True)
class ClientType:
    """What kind of client this is.

    Attributes:
        name: the likeliest type, or `unknown` where nothing is known.
        probability: how likely it is.
        probabilities: of every type, the likeliest first; they add up to 1.
    """

    name: str
    probability: float
    probabilities: Mapping[str, float]


def client_type_of(evidence: Sequence[tuple[str, float]], *, known: bool) -> ClientType:
    """Find the type by Bayes' rule.

    A sign's evidence is how much likelier the facts are from a client who has that habit than from an ordinary one, so
    `10^(e/10)` is the likelihood of the type that the sign makes, against the reliable partner's 1.

    Args:
        evidence: for each sign, the type that it makes and what it says, in decibans.
        known: whether anything at all is known of the client.
    """
    other = (1.0 - _RELIABLE_SHARE) / len(evidence)
    weights = {_RELIABLE: _RELIABLE_SHARE} | {name: other * 10.0 ** (decibans / 10.0) for name, decibans in evidence}
    total = sum(weights.values())
    ordered = sorted(weights, key=lambda name: (-weights[name], name))
    probabilities = {name: quantised(weights[name] / total) for name in ordered}
    if not known:
        return ClientType(_UNKNOWN, 0.0, probabilities)
    return ClientType(ordered[0], probabilities[ordered[0]], probabilities)
