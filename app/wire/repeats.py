"""Names that stand twice in one JSON object: readers differ in which of the values they take, so we take none."""

import json
from collections import Counter
from typing import Any, Final

import orjson

from app.wire.faults import pointer_to

__all__ = ["REPEATED", "TOO_DEEP", "holds_more", "may_repeat", "repeated"]

REPEATED: Final = "given more than once"
TOO_DEEP: Final = "nested too deeply"
_LARGE: Final = 1024 * 1024
"""Bytes beyond which a repeated name is not looked for, but only found to be there."""


def may_repeat(raw: bytes) -> bool:
    """Whether a name may stand twice in an object of some JSON; False is certain, however deep it is.

    Read and written again, JSON keeps one of several values of a name, and each of them has quotation marks of its own.
    """
    try:
        return _loses_some(raw)
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return True


def _loses_some(raw: bytes) -> bool:
    """Whether there are fewer quotation marks once JSON was read and written again.

    Raises:
        orjson.JSONDecodeError: it cannot be read.
        orjson.JSONEncodeError: it is nested too deeply to be written.
    """
    if b"\\u0022" in raw:
        # The one way to write a quotation mark without one; what looks like it after a backslash is none.
        raw = raw.replace(b"\\\\", b"\\u005c").replace(b"\\u0022", b'\\"')
    return orjson.dumps(orjson.loads(raw)).count(b'"') != raw.count(b'"')


def holds_more(raw: bytes, most: int) -> bool:
    """Whether some valid JSON holds more values than that, told from its bytes, before anything is made of them."""
    if _marks_in(raw) < most:
        return False
    if b"\\" in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    if raw.count(b'"') > 4 * most:
        # Each value has one name at most.
        return True
    outside = b"0".join(raw.split(b'"')[::2]).translate(None, b" \t\r\n")
    return _marks_in(outside) - outside.count(b"[]") - outside.count(b"{}") >= most


def _marks_in(raw: bytes) -> int:
    """One less than there are values, where no string has such marks, and nothing is empty."""
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def repeated(raw: bytes) -> str | None:
    """The JSON pointer of a name that stands twice in one object of some valid JSON, or None.

    Of what is longer than 1 MiB it is that of the whole: where there is such a name, nobody is to wait for which it is.

    Raises:
        RecursionError: it is nested too deeply.
        ValueError: it is no UTF-8, or no JSON after all.
    """
    if len(raw) > _LARGE:
        return _in_large(raw)
    if not may_repeat(raw):
        return None
    return _Repeats().find(raw)


def _in_large(raw: bytes) -> str | None:
    try:
        return "" if _loses_some(raw) else None
    except orjson.JSONEncodeError:
        raise RecursionError(TOO_DEEP) from None


class _Repeats:
    """Finds one such name, and where it is; objects are let go as soon as they were looked at."""

    def __init__(self) -> None:
        self._path: list[int | str] | None = None

    def find(self, raw: bytes) -> str | None:
        # Numbers are not looked at: one of thousands of digits takes its time.
        whole = json.loads(
            raw.decode(),
            object_pairs_hook=self._look,
            parse_int=str,
            parse_float=str,
            parse_constant=str,
        )
        if self._path is None:
            return None
        return pointer_to(*(_way_to(whole) or ()), *self._path)

    def _look(self, pairs: list[tuple[str, Any]]) -> object:
        if self._path is None:
            if len(dict(pairs)) == len(pairs):
                return None
            counts = Counter([name for name, _ in pairs])
            self._path = [next(name for name in counts if counts[name] > 1)]
            return _HERE
        # What is around it comes after it.
        for name, value in pairs:
            way = _way_to(value)
            if way is not None:
                self._path = [name, *way, *self._path]
                return _HERE
        return None


_HERE: Final = object()


def _way_to(value: object) -> list[int] | None:
    """Where in lists of lists the object is in which a name stands twice."""
    if value is _HERE:
        return []
    if type(value) is not list:
        return None
    path = [-1]
    open_ = [iter(value)]
    while open_:
        for one in open_[-1]:
            path[-1] += 1
            if one is _HERE:
                return path
            if type(one) is list:
                path.append(-1)
                open_.append(iter(one))
                break
        else:
            open_.pop()
            path.pop()
    return None
