"""Strings in JSON with half of a surrogate pair: no text, and strict readers end there without saying where."""

import json
import re
from typing import Any, Final

from app.wire.faults import pointer_to

__all__ = ["HALF_OF_PAIR", "half_in", "half_of_pair"]

HALF_OF_PAIR: Final = "a string has half of a surrogate pair"
_LARGE: Final = 1024 * 1024
_may_have_half = re.compile(rb"\\u[dD][89a-fA-F]").search
_half = re.compile("[\ud800-\udfff]").search

_Place = tuple["_Place", int | str] | tuple[()]
"""A value's place: that of what it is in, and its name there."""


def half_of_pair(raw: bytes) -> str | None:
    """The JSON pointer of the first string in some JSON with half of a surrogate pair, or None.

    Nor is it looked for in more than 1 MiB: that would take long, and a reader refuses it all the same.
    """
    if len(raw) > _LARGE or _may_have_half(raw) is None:
        return None
    try:
        # Numbers are not looked at: one of thousands of digits takes its time.
        found = json.loads(raw.decode(), parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None
    return half_in(found)


def half_in(value: Any) -> str | None:
    """The JSON pointer of the first string of a JSON value with half of a surrogate pair, or None.

    Where that is a name, it is shown with a question mark in place of the half.
    """
    waiting: list[tuple[_Place, Any]] = [((), value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, str):
            if _half(one):
                return _pointer(place)
        elif isinstance(one, dict):
            name = next(filter(_half, one), None)
            if name is not None:
                return _pointer((place, name))
            waiting.extend([((place, name), inner) for name, inner in one.items()][::-1])
        elif isinstance(one, list):
            waiting.extend([((place, index), inner) for index, inner in enumerate(one)][::-1])
    return None


def _pointer(place: _Place) -> str:
    path: list[int | str] = []
    while place:
        place, name = place
        path.append(name)
    return pointer_to(*path[::-1])
