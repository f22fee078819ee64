"""One field of an event: from the catalogue's annotation to a decoder, a check and a JSON Schema."""

import re
from collections.abc import Callable
from dataclasses import MISSING, Field, dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec

from app.core.events import EventData
from app.core.events.fields import Bounds, Iso4217, Length, PastOrFuture, ZoneName
from app.core.money import CURRENCIES
from app.core.working_calendar import time_zones

__all__ = ["FieldAnnotation", "FieldRule", "annotations_of", "is_name", "kind_of", "rules_of", "time_zones"]

Check = Callable[[Any], str | None]
"""From a decoded value to what was expected instead, or None when it is fine."""

# Control characters have no place in a name or a note; Postgres cannot store NUL at all.
_TEXT_ECMA = "^[^\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f]*$"
# U+FDD0 stands for a slash in paths (`app/rest/paths.py`), as Unicode lets programs use it for themselves.
_NAME_ECMA = "^[^\\u0000-\\u001f\\u007f\\ufdd0]*$"
_not_in_text = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]").search
_not_in_names = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufdd0]").search
_DECIMAL = r"^[0-9]+(\.[0-9]{1,6})?$"
_decimal = re.compile(_DECIMAL[1:-1]).fullmatch


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one field is read.

    Attributes:
        name: as in JSON.
        kind: the type for msgspec, with its limits.
        required: whether it must be there.
        default: what holds where it is not.
        check: what msgspec cannot check.
        written: what cannot be seen any more once it is decoded, from the JSON text of the field.
    """

    name: str
    kind: Any
    required: bool
    default: Any
    check: Check | None
    written: Callable[[bytes], str | None] | None = None


@dataclass(frozen=True, slots=True)
class FieldAnnotation:
    """One field as the catalogue writes it.

    Attributes:
        name: as in JSON.
        inner: its annotation, without None.
        markers: its limits.
        optional: whether it may be null.
        required: whether it must be there.
        default: what holds where it is not.
    """

    name: str
    inner: Any
    markers: tuple[Any, ...]
    optional: bool
    required: bool
    default: Any


def annotations_of(data: type[EventData]) -> tuple[FieldAnnotation, ...]:
    """Every field of an event type's data."""
    hints = get_type_hints(data, include_extras=True)
    fields: dict[str, Field[Any]] = getattr(data, "__dataclass_fields__")  # noqa: B009 - only dataclasses have it
    found = []
    for name, field in fields.items():
        optional, inner = _without_none(hints[name])
        required = field.default is MISSING
        found.append(FieldAnnotation(name, inner, _markers(inner), optional, required, field.default))
    return tuple(found)


def rules_of(data: type[EventData]) -> tuple[FieldRule, ...]:
    """The rules for every field of an event type's data."""
    return tuple(map(_rule, annotations_of(data)))


def _rule(field: FieldAnnotation) -> FieldRule:
    kind, check = kind_of(field.inner)
    guarded = _unless_none(check) if field.optional and check else check
    written = next((_in_digits(marker) for marker in field.markers if isinstance(marker, Bounds)), None)
    kind = kind | None if field.optional else kind
    return FieldRule(field.name, kind, field.required, field.default, guarded, written)


def _markers(hint: Any) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _unless_none(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _without_none(hint: Any) -> tuple[bool, Any]:
    if get_origin(hint) in (Union, UnionType):
        inner = [part for part in get_args(hint) if part is not type(None)]
        return True, inner[0]
    return False, hint


def kind_of(hint: Any) -> tuple[Any, Check | None]:  # noqa: PLR0911 - a table
    """The type for msgspec and the check of one annotation of the catalogue."""
    if get_origin(hint) is not Annotated:
        return hint, None
    plain, *markers = get_args(hint)
    for marker in markers:
        match marker:
            case Length(low, high, lines):
                pattern = _TEXT_ECMA if lines else _NAME_ECMA
                meta = msgspec.Meta(min_length=low, max_length=high, extra_json_schema={"pattern": pattern})
                return Annotated[plain, meta], _text if lines else _name
            case Bounds():
                return Annotated[Decimal, msgspec.Meta(extra_json_schema=_number_schema(marker))], _within(marker)
            case Iso4217():
                return Annotated[str, msgspec.Meta(extra_json_schema={"enum": sorted(CURRENCIES)})], _currency
            case ZoneName():
                return Annotated[str, msgspec.Meta(max_length=64, examples=["Europe/Berlin"])], _zone
            case PastOrFuture():
                meta = msgspec.Meta(tz=True) if plain is datetime else msgspec.Meta(title="Local day")
                return (Annotated[datetime, meta] if plain is datetime else Annotated[date, meta]), _years(marker)
            case _:
                pass
    return plain, None


def _number_schema(bounds: Bounds) -> dict[str, Any]:
    low = {"exclusiveMinimum": bounds.low} if bounds.above else {"minimum": bounds.low}
    return {
        "type": ["number", "string"],
        "format": "decimal",
        "pattern": _DECIMAL,
        "maximum": bounds.high,
        **low,
    }


def _expected(bounds: Bounds) -> str:
    edge = "above" if bounds.above else "at least"
    return f"expected a number {edge} {bounds.low}, at most {bounds.high}, with at most {bounds.max_decimals} decimals"


def _in_digits(bounds: Bounds) -> Callable[[bytes], str | None]:
    """A number is any that JSON has; a string is what the schema says, and not all that Python takes for a decimal."""
    expected = f"{_expected(bounds)}, and a string in plain digits"

    def check(raw: bytes) -> str | None:
        if not raw.startswith(b'"'):
            return None
        return None if _decimal(msgspec.json.decode(raw, type=str)) else expected

    return check


def _within(bounds: Bounds) -> Check:
    expected = _expected(bounds)

    def check(value: Decimal) -> str | None:
        if not value.is_finite():
            return expected
        low = value > bounds.low if bounds.above else value >= bounds.low
        exponent = value.as_tuple().exponent
        fine = low and value <= bounds.high and isinstance(exponent, int) and exponent >= -bounds.max_decimals
        return None if fine else expected

    return check


def is_name(value: str) -> bool:
    """Whether a string has no control characters, no lone surrogates and no U+FDD0."""
    return _not_in_names(value) is None


def _name(value: str) -> str | None:
    return None if is_name(value) else "expected text without control characters"


def _text(value: str) -> str | None:
    return "expected text without control characters other than line ends and tabs" if _not_in_text(value) else None


def _currency(value: str) -> str | None:
    return None if value in CURRENCIES else "expected an active ISO 4217 currency code, such as EUR"


def _zone(value: str) -> str | None:
    return None if value in time_zones() else "expected the name of an IANA time zone, such as Europe/Berlin"


def _years(limits: PastOrFuture) -> Check:
    expected = f"expected a year from {limits.first} to {limits.last}"

    def check(value: date) -> str | None:
        try:
            year = (value.astimezone(UTC) if isinstance(value, datetime) else value).year
        except OverflowError:
            return expected
        return None if limits.first <= year <= limits.last else expected

    return check
