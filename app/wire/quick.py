"""The quick way to read events: all at once, checked while they are decoded; whatever is unusual is left to others."""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from app.core.events import EventType
from app.core.events.fields import Bounds, Iso4217, Length, PastOrFuture, ZoneName
from app.core.money import CURRENCIES
from app.ports.clock import Clock
from app.ports.ledger import NewEvent
from app.wire.fields import FieldAnnotation, annotations_of, kind_of, time_zones
from app.wire.repeats import may_repeat

__all__ = ["QuickReader", "content_digest", "encode"]

_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
_Text = Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
_Time = Annotated[datetime, msgspec.Meta(tz=True)]
_UNREADABLE: Final = (msgspec.MsgspecError, RecursionError, ValueError, OverflowError)

# Written out, JSON has no control characters in strings; these are the escapes that could stand for one, for a lone
# surrogate or for U+FDD0.
_escapes = re.compile(rb"\\(?:[bfnrt]|u(?:00[01]|007[fF]|[dD][89a-fA-F]|[fF][dD][dD]0))").search
_MOST_UNUSUAL: Final = 512 * 1024
"""Bytes up to which a closer look is taken at all events at once: what nobody knows is read into memory for it."""
_escaped_quotes = re.compile(rb"\\[\"\\]").search

encode = msgspec.json.Encoder(order="deterministic").encode


def content_digest(kind: str, subject: str, at: datetime | None, data: bytes) -> bytes:
    """SHA-256 of all that an event says; its data as canonical JSON.

    An event without a time is the same however often it comes, so the time it came at is no part of it.
    """
    return hashlib.sha256(encode((kind, subject, at)) + data).digest()


@dataclass(frozen=True, slots=True)
class _Kind:
    """One event type: its name, how its data is read, and what of it msgspec leaves to be checked, by field.

    Attributes:
        name: of the type.
        data: the struct of its data.
        read: reads data.
        quotes: the quotation marks of an event with nothing but what must be there, decimals aside.
        decimals: fields with decimals.
        days: fields with times, and the quotation marks of each that may be left out.
        optional: other fields that may be left out, each with its quotation marks.
        defaulted: fields that have a value where they are left out: that value, and their quotation marks.
    """

    name: str
    data: type[msgspec.Struct]
    read: Callable[[bytes], Any]
    quotes: int
    decimals: tuple[tuple[str, Callable[[Any], re.Match[bytes] | None]], ...]
    days: tuple[tuple[str, PastOrFuture, int], ...]
    optional: tuple[tuple[str, int], ...]
    defaulted: tuple[tuple[str, Any, int], ...]


class _UnusualError(ValueError):
    """This is for the thorough way."""


class QuickReader:
    """Reads what is as it should be, and takes nothing that the thorough way would not take, or take otherwise.

    Whatever is wrong or merely unusual makes it give up, so that faults are found and named in one place.
    """

    def __init__(self, catalogue: Mapping[str, EventType], clock: Clock) -> None:
        """Compile the catalogue; the clock says when an event happened that does not say so itself."""
        self._clock = clock
        self._kinds: dict[type, _Kind] = {}
        for kind in catalogue.values():
            found = _compiled(kind)
            envelope = msgspec.defstruct(
                f"Quick{kind.data.__name__}",
                [
                    ("specversion", Literal["1.0"]),
                    ("id", _Name),
                    ("source", _Name),
                    ("subject", _Name),
                    ("data", msgspec.Raw if found.decimals else found.data),
                    ("time", _Time | None, None),
                    ("datacontenttype", _Text | None, None),
                    ("dataschema", _Text | None, None),
                ],
                tag_field="type",
                tag=kind.name,
                kw_only=True,
                gc=False,
            )
            self._kinds[envelope] = found
        any_of_them: Any = Union[tuple(self._kinds)]  # noqa: UP007 - of a tuple
        self._one = msgspec.json.Decoder(any_of_them)
        self._array = msgspec.json.Decoder(list[any_of_them])
        self._fenced = msgspec.json.Decoder(list[any_of_them | int])
        self._fence = secrets.randbits(62)

    def one(self, raw: bytes) -> NewEvent | None:
        """Read one event, or None."""
        if _may_hide(raw):
            return None
        try:
            return self._events([self._one.decode(raw)], raw)[0]
        except _UNREADABLE:
            return None

    def array(self, raw: bytes, most: int) -> list[NewEvent] | None:
        """Read a JSON array of events, or None, as where there are more than so many."""
        if _may_hide(raw):
            return None
        try:
            found = self._array.decode(raw)
            return self._events(found, raw) if len(found) <= most else None
        except _UNREADABLE:
            return None

    def lines(self, lines: Sequence[bytes]) -> list[NewEvent] | None:
        """Read several events, each of a line of its own, or None.

        They are read as one array. Between any two lines stands a number that nobody can guess: were a line no event by
        itself, but half of one or two at once, the numbers would not be where they belong.
        """
        raw = b"[" + (b",%d," % self._fence).join(lines) + b"]"
        if _may_hide(raw):
            return None
        try:
            found = self._fenced.decode(raw)
            if len(found) != 2 * len(lines) - 1 or found[1::2].count(self._fence) != len(lines) - 1:
                return None
            return self._events(found[::2], raw)
        except (*_UNREADABLE, KeyError):
            return None

    def _events(self, found: list[Any], raw: bytes) -> list[NewEvent]:
        kinds = self._kinds
        events = []
        now: datetime | None = None
        # Every value that was found has its name and, often, itself in quotation marks. Where there are no more of
        # them than that, no name stands twice.
        quotes = 0
        for one in found:
            kind = kinds[one.__class__]
            quotes += kind.quotes
            at = one.time
            if kind.decimals:
                data, more = _with_decimals(one.data, kind)
                quotes += more
            else:
                data = one.data
            if kind.days:
                quotes += _check_days(data, kind)
            if kind.optional or kind.defaulted:
                quotes += _with_defaults(data, kind)
            if at is None:
                time = now = now or self._clock.now()
            else:
                time = at = _in_utc(at)
                quotes += 4
            if one.datacontenttype is not None or one.dataschema is not None:
                quotes += _described(one)
            subject = one.subject
            canonical = encode(data)
            digest = content_digest(kind.name, subject, at, canonical)
            events.append(NewEvent(one.source, one.id, kind.name, subject, time, canonical.decode(), digest))
        if _quotes_in(raw) != quotes and (len(raw) > _MOST_UNUSUAL or may_repeat(raw)):
            raise _UnusualError
        return events


def _quotes_in(raw: bytes) -> int:
    """How many quotation marks begin or end a string; -1 where that takes a closer look."""
    return -1 if b"\\" in raw and _escaped_quotes(raw) is not None else raw.count(b'"')


def _may_hide(raw: bytes) -> bool:
    """Whether a string in some JSON may have characters that a name must not have."""
    return b"\x7f" in raw or b"\xef\xb7\x90" in raw or (b"\\" in raw and _escapes(raw) is not None)


def _in_utc(at: datetime) -> datetime:
    found = at if at.tzinfo is UTC else at.astimezone(UTC)
    if not _YEARS.first <= found.year <= _YEARS.last:
        raise _UnusualError
    return found


_YEARS: Final = PastOrFuture()


def _with_decimals(text: bytes, kind: _Kind) -> tuple[Any, int]:
    """Read data with decimals, and write them in the canonical way: as strings; also count their quotation marks."""
    data = kind.read(text)
    quotes = 0
    for name, match in kind.decimals:
        raw = getattr(data, name)
        if raw is not None:
            found = match(raw)
            if found is None:
                raise _UnusualError
            which = found.lastindex
            setattr(data, name, found[which].decode() if which else None)
            quotes += 4 if which == _IN_QUOTES else 2
    return data, quotes


_IN_QUOTES: Final = 1


def _with_defaults(data: Any, kind: _Kind) -> int:
    quotes = 0
    for name, more in kind.optional:
        if getattr(data, name) is not None:
            quotes += more
    for name, default, more in kind.defaulted:
        if getattr(data, name) is _UNSET:
            setattr(data, name, default)
        else:
            quotes += more
    return quotes


_UNSET: Final = msgspec.UNSET


def _described(envelope: Any) -> int:
    if envelope.datacontenttype not in (None, "application/json"):
        raise _UnusualError
    return 4 * ((envelope.datacontenttype is not None) + (envelope.dataschema is not None))


def _check_days(data: Any, kind: _Kind) -> int:
    quotes = 0
    for name, limits, more in kind.days:
        value = getattr(data, name)
        if value is not None:
            quotes += more
            year = (value.astimezone(UTC) if isinstance(value, datetime) else value).year
            if not limits.first <= year <= limits.last:
                raise _UnusualError
    return quotes


def _compiled(kind: EventType) -> _Kind:
    fields: list[Any] = []
    decimals, days, optional, defaulted = [], [], [], []
    quotes = _ENVELOPE_QUOTES
    for field in annotations_of(kind.data):
        found = _quick_kind(kind, field)
        default = field.default
        # A name, and most values too, stand in quotation marks.
        more = 2 if found is bool else 4
        bounds = next((marker for marker in field.markers if isinstance(marker, Bounds)), None)
        limits = next((marker for marker in field.markers if isinstance(marker, PastOrFuture)), None)
        if bounds is not None:
            decimals.append((field.name, _plain_decimal(bounds, optional=field.optional)))
        elif field.required:
            quotes += more
        elif default is not None:
            defaulted.append((field.name, default, more))
            found, default = found | msgspec.UnsetType, msgspec.UNSET
        elif limits is None:
            optional.append((field.name, more))
        if limits is not None:
            days.append((field.name, limits, 0 if field.required else more))
        if field.optional and bounds is None:
            found |= None
        fields.append((field.name, found) if field.required else (field.name, found, default))
    struct = msgspec.defstruct(f"{kind.data.__name__}Quick", fields, kw_only=True, forbid_unknown_fields=True, gc=False)
    return _Kind(
        kind.name,
        struct,
        msgspec.json.Decoder(struct).decode,
        quotes,
        tuple(decimals),
        tuple(days),
        tuple(optional),
        tuple(defaulted),
    )


def _quick_kind(kind: EventType, field: FieldAnnotation) -> Any:
    found: Any = field.inner
    for marker in field.markers:
        match marker:
            case Bounds():
                found = msgspec.Raw
            case Iso4217():
                found = Literal[tuple(sorted(CURRENCIES))]
            case ZoneName():
                found = Literal[tuple(sorted(time_zones()))]
            case PastOrFuture() | Length():
                found = kind_of(field.inner)[0]
            case _:
                raise TypeError(f"{kind.name}: {field.name} has a marker that the quick way does not know")
    plain = get_args(found)[0] if get_origin(found) is Annotated else found
    if not (field.markers or plain is bool or get_origin(plain) is Literal):
        raise TypeError(f"{kind.name}: {field.name} is of a kind that the quick way does not know")
    return found


_ENVELOPE_QUOTES: Final = 22
"""Of the names specversion, id, source, type, subject and data, and of the values of all but the last."""


def _plain_decimal(bounds: Bounds, *, optional: bool) -> Callable[[Any], re.Match[bytes] | None]:
    """Match a number, or a string that holds one, which is within bounds by its mere length.

    Group 1 is the digits of a string, group 2 those of a number. Only what a decimal is written like again is
    matched: no exponent, and no zeros before the first digit.
    """
    digits = len(str(bounds.high)) - 1
    if bounds.low != 0 or not bounds.above or Decimal(bounds.high) < Decimal(10) ** digits:
        raise TypeError("the quick way knows numbers above 0 alone")
    plain = rb"(?=[0.]*[1-9])(?:0|[1-9][0-9]{0,%d})(?:\.[0-9]{1,%d})?" % (digits - 1, bounds.max_decimals)
    pattern = rb'"(%b)"|(%b)' % (plain, plain)
    return re.compile(pattern + rb"|null" if optional else pattern).fullmatch
