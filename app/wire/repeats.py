"""Names that stand twice in one JSON object: readers differ in which of the values they take, so we take none."""

import json
from collections.abc import Iterator
from typing import Any, Final

import orjson

from app.wire.faults import pointer_to

__all__ = ["REPEATED", "TOO_DEEP", "may_repeat", "repeated"]

REPEATED: Final = "given more than once"
TOO_DEEP: Final = "nested too deeply"


def may_repeat(raw: bytes) -> bool:
    """Whether a name may stand twice in an object of some JSON; False is certain, however deep it is.

    Read and written again, JSON keeps one of several values of a name, and each of them has quotation marks of its own.
    """
    try:
        once = orjson.dumps(orjson.loads(raw))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return True
    # The one way to write a quotation mark without one.
    return b"\\u0022" in raw or once.count(b'"') != raw.count(b'"')


def repeated(raw: bytes) -> str | None:
    """The JSON pointer of a name that stands twice in one object of some valid JSON, or None.

    Raises:
        RecursionError: it is nested too deeply.
        ValueError: it is no UTF-8, or no JSON after all.
    """
    if not may_repeat(raw):
        return None
    found = _pairs(raw)
    # From the outermost to the innermost: where we are, and what is still to be looked at there.
    path: list[int | str] = []
    open_: list[Iterator[tuple[int | str, Any]]] = [_members(found)]
    seen: list[set[int | str]] = [set()]
    while open_:
        name, value = next(open_[-1], (None, None))
        if name is None:
            open_.pop()
            seen.pop()
            del path[-1:]
            continue
        if name in seen[-1]:
            return pointer_to(*path, name)
        seen[-1].add(name)
        if isinstance(value, _Pairs | list):
            path.append(name)
            open_.append(_members(value))
            seen.append(set())
    return None


def _members(value: Any) -> Iterator[tuple[int | str, Any]]:
    return iter(value.pairs) if isinstance(value, _Pairs) else enumerate(value if isinstance(value, list) else ())


class _Pairs:
    __slots__ = ("pairs",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _pairs(raw: bytes) -> Any:
    # Numbers are not looked at: one of thousands of digits takes its time.
    return json.loads(
        raw.decode(),
        object_pairs_hook=_Pairs,
        parse_int=str,
        parse_float=str,
        parse_constant=str,
    )
