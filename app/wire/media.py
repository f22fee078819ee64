"""Media types: which one a client wants of those that there are."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

__all__ = ["best_media"]

_MOST_PARTS: Final = 50
_weight: Final = re.compile(r"0(\.\d{0,3})?|1(\.0{0,3})?")


@lru_cache(512)
def best_media(accept: str, available: tuple[str, ...]) -> str | None:
    """The media type that an `Accept` header wants most (RFC 9110, 12.5.1); the first of several that it wants alike.

    None where it wants none of them. A header that is empty wants anything.
    """
    ranges = dict(_ranges(accept))
    if not ranges:
        return available[0]
    best, most = None, 0.0
    for media in available:
        # The most exact range counts, whatever wider ones say.
        wider = (media, media.partition("/")[0] + "/*", "*/*")
        weight = next((ranges[one] for one in wider if one in ranges), 0.0)
        if weight > most:
            best, most = media, weight
    return best


def _ranges(accept: str) -> Iterable[tuple[str, float]]:
    """Ranges with their weights; parameters of media types are not told apart here."""
    for part in accept.split(",")[:_MOST_PARTS]:
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        if media and _weight.fullmatch(weight):
            yield media, float(weight)
