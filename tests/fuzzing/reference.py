"""A slow reader of events, written from the rules alone with the standard library: the decoder is held to it."""

import json
import re
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final, Literal, get_args, get_origin

from app.core.events import CATALOGUE
from app.core.events.fields import Bounds, Iso4217, Length, PastOrFuture, ZoneName
from app.core.money import CURRENCIES
from app.core.working_calendar import time_zones
from app.wire.fields import FieldAnnotation, annotations_of

__all__ = ["read", "value_of"]

_NO_NAME: Final = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufdd0]")
_NO_TEXT: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_DIGITS: Final = re.compile(r"[0-9]+(\.[0-9]{1,6})?", re.ASCII)
_DAY: Final = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})", re.ASCII)
_INSTANT: Final = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]+)?(?:[Zz]|([+-][0-9]{2}):?([0-9]{2}))",
    re.ASCII,
)


class No(Exception):
    """It is no event."""


class _Number(str):
    """A number as it is written."""

    __slots__ = ()


def read(raw: bytes) -> dict[str, Any] | None:
    """Read an event in structured mode: its attributes and its data, with all defaults; or None."""
    try:
        found = json.loads(
            raw.decode(),
            object_pairs_hook=_object,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_no_constant,
        )
        # No text anywhere has half of a surrogate pair.
        json.dumps(found, ensure_ascii=False).encode()
        return _event(found)
    except (No, ValueError, RecursionError):
        return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise No
    return found


def _no_constant(name: str) -> Any:
    raise No(name)


def _event(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or found.get("specversion") != "1.0" or isinstance(found["specversion"], _Number):
        raise No
    name = Length(1, 200)
    event: dict[str, Any] = {key: _text(found.get(key), name) for key in ("id", "source", "type", "subject")}
    event["time"] = None if found.get("time") is None else _instant(found["time"], PastOrFuture())
    for key in ("datacontenttype", "dataschema"):
        if found.get(key) is not None:
            _text(found[key], Length(1, 500))
    media = str(found.get("datacontenttype") or "application/json").partition(";")[0].strip().lower()
    kind, data = CATALOGUE.get(event["type"]), found.get("data")
    if kind is None or not isinstance(data, dict) or not (media == "application/json" or media.endswith("+json")):
        raise No
    fields = {field.name: field for field in annotations_of(kind.data)}
    if not data.keys() <= fields.keys():
        raise No
    event["data"] = {
        name: _field(data[name], field) if name in data else _default(field) for name, field in fields.items()
    }
    return event


def _default(field: FieldAnnotation) -> Any:
    if field.required:
        raise No
    return field.default


def _field(value: Any, field: FieldAnnotation) -> Any:
    if value is None and field.optional:
        return None
    return value_of(value, field)


def value_of(value: Any, field: FieldAnnotation) -> Any:  # noqa: PLR0911 - a table
    """The value of one field of some data; raises `No`."""
    for marker in field.markers:
        match marker:
            case Length():
                return _text(value, marker)
            case Bounds():
                return _decimal(value, marker)
            case Iso4217():
                return _among(value, CURRENCIES)
            case ZoneName():
                return _among(value, time_zones())
            case PastOrFuture():
                return _instant(value, marker) if get_args(field.inner)[0] is datetime else _day(value, marker)
    if get_origin(field.inner) is Literal:
        return _among(value, get_args(field.inner))
    assert field.inner is bool
    if not isinstance(value, bool):
        raise No
    return value


def _text(value: Any, limits: Length) -> str:
    if not isinstance(value, str) or isinstance(value, _Number) or not limits.min <= len(value) <= limits.max:
        raise No
    if (_NO_TEXT if limits.lines else _NO_NAME).search(value):
        raise No
    return value


def _among(value: Any, known: Any) -> str:
    if not isinstance(value, str) or isinstance(value, _Number) or value not in known:
        raise No
    return value


def _decimal(value: Any, bounds: Bounds) -> Decimal:
    if not isinstance(value, str) or not (isinstance(value, _Number) or _DIGITS.fullmatch(value)):
        raise No
    try:
        found = Decimal(value)
    except InvalidOperation:
        raise No from None
    exponent = found.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -bounds.max_decimals:
        raise No
    if not (found > bounds.low if bounds.above else found >= bounds.low) or found > bounds.high:
        raise No
    return found


def _day(value: Any, limits: PastOrFuture) -> date:
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        raise No
    found = date.fromisoformat(value)
    if not limits.first <= found.year <= limits.last:
        raise No
    return found


def _instant(value: Any, limits: PastOrFuture) -> datetime:
    found = _INSTANT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise No
    day, time, fraction, hours, minutes = found.groups()
    micros = (Decimal(fraction or 0) * 10**6).to_integral_value(ROUND_HALF_UP)
    offset = f"{hours}:{minutes}" if hours else "+00:00"
    try:
        at = datetime.fromisoformat(f"{day}T{time}{offset}").astimezone(UTC) + timedelta(microseconds=int(micros))
    except OverflowError:
        raise No from None
    if not limits.first <= at.year <= limits.last:
        raise No
    return at
