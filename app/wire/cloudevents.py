"""CloudEvents 1.0 in JSON: structured, batched and binary mode, each event checked against the catalogue."""

import asyncio
import difflib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

import msgspec

from app.core.events import CATALOGUE, EventData
from app.core.events.fields import Length, PastOrFuture
from app.ports.clock import Clock
from app.ports.ledger import NewEvent
from app.wire.faults import Fault, Invalid, InvalidBodyError, MalformedBodyError, pointer_to
from app.wire.fields import FieldRule, kind_of, rules_of
from app.wire.ndjson import LINE_LIMIT
from app.wire.quick import QuickReader, content_digest, encode
from app.wire.readers import ObjectReader
from app.wire.repeats import REPEATED, TOO_DEEP, holds_more, repeated
from app.wire.surrogates import HALF_OF_PAIR, half_of_pair

__all__ = ["MOST_BYTES_OF_ONE", "EventDecoder"]

MOST_BYTES_OF_ONE: Final = LINE_LIMIT
"""Of an event, however it is sent."""
MOST_VALUES: Final = 256 * 1024
"""In a batch, with all that nobody knows of."""
_TOO_LONG: Final = f"expected an event of at most {MOST_BYTES_OF_ONE:,} bytes"
_LEAST_BYTES: Final = 100
"""Any event has more."""
_AT_ONCE: Final = 64 * 1024
"""Bytes of unusual events that are read before others have their turn."""


def _envelope_rules() -> tuple[FieldRule, ...]:
    def rule(name: str, hint: Any, *, required: bool = True, optional: bool = False) -> FieldRule:
        kind, check = kind_of(hint)
        if optional:
            inner = check
            check = (lambda value: None if value is None else inner(value)) if inner else None
        return FieldRule(name, kind | None if optional else kind, required, None, check)

    name = Annotated[str, Length(1, 200)]
    text = Annotated[str, Length(1, 500)]
    return (
        rule("specversion", Literal["1.0"]),
        rule("id", name),
        rule("source", name),
        rule("type", name),
        rule("subject", name),
        rule("time", Annotated[datetime, PastOrFuture()], required=False, optional=True),
        rule("datacontenttype", text, required=False, optional=True),
        rule("dataschema", text, required=False, optional=True),
        rule("data", msgspec.Raw),
    )


class _Supposition(msgspec.Struct, forbid_unknown_fields=True):
    events: list[dict[str, msgspec.Raw]]


class EventDecoder:
    """Turns what was sent into events; made once, for all requests."""

    def __init__(self, clock: Clock) -> None:
        """Compile the catalogue.

        Args:
            clock: says when an event happened that does not say so itself.
        """
        self._clock = clock
        self._quick = QuickReader(CATALOGUE, clock)
        self._envelope = ObjectReader("CloudEvent", _envelope_rules(), strict=False)
        self._data = {
            kind.name: ObjectReader(kind.data.__name__, rules_of(kind.data), strict=True) for kind in CATALOGUE.values()
        }
        self._supposition = msgspec.json.Decoder(_Supposition)
        self._array = msgspec.json.Decoder(list[msgspec.Raw])
        self._loaders = {kind.name: msgspec.json.Decoder(kind.data) for kind in CATALOGUE.values()}

    def structured(self, raw: bytes | msgspec.Raw) -> NewEvent | Invalid:
        """Read one event in structured mode: a JSON object."""
        raw = bytes(raw)
        if len(raw) > MOST_BYTES_OF_ONE:
            return Invalid((Fault("", _TOO_LONG),))
        return self._quick.one(raw) or self.thorough(raw)

    def thorough(self, raw: bytes | msgspec.Raw) -> NewEvent | Invalid:
        """Read one event field by field, as far as it needs: the quick way takes nothing that this would not."""
        envelope = self._envelope.read(raw)
        if envelope is None:
            return self._invalid(raw)
        twice = _repeated(raw)
        if twice is not None:
            return Invalid((twice,), envelope.id, envelope.source)
        return self._event(envelope)

    def batch(self, raw: bytes, most: int) -> list[NewEvent | Invalid]:
        """Read a JSON array of events.

        Raises:
            MalformedBodyError: the body is no JSON array, or holds more than `most` events.
            InvalidBodyError: a string in it has half of a surrogate pair.
        """
        found = self._usual(raw, most)
        return found if found is not None else [self.structured(item) for item in self._items(raw, most)]

    async def batch_in_turns(self, raw: bytes, most: int) -> list[NewEvent | Invalid]:
        """Read a JSON array of events; while unusual ones are looked at, others have their turn in between.

        Raises:
            MalformedBodyError: the body is no JSON array, or holds more than `most` events.
            InvalidBodyError: a string in it has half of a surrogate pair.
        """
        found = self._usual(raw, most)
        if found is not None:
            return found
        found, size = [], 0
        for item in self._items(raw, most):
            found.append(self.structured(item))
            size += len(item)
            if size > _AT_ONCE:
                size = 0
                await asyncio.sleep(0)
        return found

    def _usual(self, raw: bytes, most: int) -> list[NewEvent | Invalid] | None:
        found = self._quick.array(raw, most)
        if found is None:
            return None
        if len(raw) - _LEAST_BYTES * len(found) > MOST_BYTES_OF_ONE:
            # One of them may be too long.
            items = self._array.decode(raw)
            if any(len(item) > MOST_BYTES_OF_ONE for item in items):
                return None
        return list(found)

    def _items(self, raw: bytes, most: int) -> list[msgspec.Raw]:
        if len(raw) > MOST_VALUES and holds_more(raw, MOST_VALUES):
            raise MalformedBodyError(f"expected a JSON array of CloudEvents with at most {MOST_VALUES:,} values")
        try:
            items = self._array.decode(raw)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            _refuse_half_of_pair(raw)
            raise MalformedBodyError(f"expected a JSON array of CloudEvents: {error}") from None
        if len(items) > most:
            raise MalformedBodyError(_too_many(most, len(items)))
        return items

    def lines(self, lines: Sequence[bytes]) -> list[NewEvent | Invalid]:
        """Read several events, each of its own line."""
        found = self._quick.lines(lines)
        return list(found) if found is not None else [self.structured(line) for line in lines]

    def binary(self, headers: Iterable[tuple[str, str]], body: bytes) -> NewEvent | Invalid:
        """Read one event in binary mode: attributes in `ce-` headers, percent-encoded, and the data as the body."""
        given = [(name[3:], value) for name, value in headers if name.startswith("ce-") and len(name) > 3]
        # What is no UTF-8 would become the same sign whatever it was, and ids fall together.
        unclear = [name for name, value in given if not _is_encoded(value)]
        attributes = {name: unquote(value) for name, value in given}
        counts = Counter(name for name, _ in given)
        faults = [Fault(pointer_to(name), REPEATED) for name, count in counts.items() if count > 1]
        faults += [Fault(pointer_to(name), "expected percent-encoded UTF-8") for name in dict.fromkeys(unclear)]
        if "datacontenttype" in attributes:
            faults.append(Fault("/datacontenttype", "is the Content-Type header in binary mode"))
            del attributes["datacontenttype"]
        try:
            msgspec.json.decode(body or b"null", type=msgspec.Raw)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            at = half_of_pair(body)
            fault = Fault("/data", f"expected JSON: {error}") if at is None else Fault(f"/data{at}", HALF_OF_PAIR)
            return Invalid((*faults, fault), None if "id" in unclear else attributes.get("id"))
        encoded = encode(attributes)
        members = encoded[:-1] + (b"," if attributes else b"") + b'"data":' + (body.strip() or b"null") + b"}"
        found = self.structured(members)
        more = found.faults if isinstance(found, Invalid) else ()
        if not faults and not more:
            return found
        told = (None if name in unclear else value for name, value in (("id", found.id), ("source", found.source)))
        return Invalid((*faults, *more), *told)

    def supposed(self, raw: bytes, most: int, client_id: str, time: datetime) -> list[NewEvent | Invalid]:
        """Read `{"events": […]}`: events of one client that might happen, of which `type` and `data` are enough.

        Raises:
            MalformedBodyError: the body is no JSON.
            InvalidBodyError: it is no such object, or holds none or more than `most` events.
        """
        try:
            events = self._supposition.decode(raw).events
        except msgspec.ValidationError as error:
            raise InvalidBodyError(_place(error), _plain(error)) from None
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            _refuse_half_of_pair(raw)
            raise MalformedBodyError(f"expected JSON: {_plain(error)}") from None
        twice = _repeated(raw)
        if twice is not None:
            raise InvalidBodyError(twice.pointer, twice.detail)
        if not 0 < len(events) <= most:
            raise InvalidBodyError("/events", f"expected 1 to {most} events, got {len(events)}")
        defaults = {
            "specversion": "1.0",
            "source": "partwise:simulation",
            "subject": client_id,
            "time": time,
            "data": {},
        }
        for given in events:
            if bytes(given.get("time", b"")) == b"null":
                del given["time"]
        return [
            self.structured(encode({**defaults, "id": f"supposed-{index}", **given}))
            for index, given in enumerate(events)
        ]

    def load(self, event_type: str, data: str) -> EventData:
        """Turn stored data back into the catalogue's dataclass."""
        loaded: EventData = self._loaders[event_type].decode(data)
        return loaded

    def schemas(self) -> dict[str, dict[str, Any]]:
        """For each event type, the JSON Schema (2020-12) of its data."""
        found: dict[str, dict[str, Any]] = {}
        for name, reader in self._data.items():
            (schema,), components = msgspec.json.schema_components([reader.kind])
            body = next(iter(components.values())) if "$ref" in schema else schema
            for field in body.get("properties", {}).values():
                for variant in (field, *field.get("anyOf", ())):
                    if variant.get("format") == "decimal":
                        variant["type"] = ["number", "string"]
            found[name] = {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                **body,
                "description": CATALOGUE[name].summary,
            }
        return found

    def _event(self, envelope: Any) -> NewEvent | Invalid:
        reader = self._data.get(envelope.type)
        if reader is None:
            return Invalid((_unknown_type(envelope.type),), envelope.id, envelope.source)
        faults = _content_type_faults(envelope.datacontenttype)
        data = reader.read(envelope.data)
        if data is None:
            faults += reader.faults(envelope.data, "/data")
        if faults:
            return Invalid(tuple(faults), envelope.id, envelope.source)
        time = envelope.time
        at = time.astimezone(UTC) if time is not None else None
        canonical = encode(data)
        return NewEvent(
            source=envelope.source,
            id=envelope.id,
            type=envelope.type,
            client_id=envelope.subject,
            time=at or self._clock.now(),
            data=canonical.decode(),
            digest=content_digest(envelope.type, envelope.subject, at, canonical),
        )

    def _invalid(self, raw: bytes | msgspec.Raw) -> Invalid:
        """All that is wrong with an event whose attributes cannot be read, its data too where the type is known."""
        faults = self._envelope.faults(raw, "")
        try:
            found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        except (msgspec.MsgspecError, RecursionError, ValueError):
            return Invalid(tuple(faults))
        kind = _text(found.get("type"))
        twice = _repeated(raw)
        if twice is not None and twice.pointer:
            faults.append(twice)
        if "data_base64" in found:
            faults.append(Fault("/data_base64", "expected `data` as a JSON object"))
        if kind is not None and kind not in self._data:
            faults.append(_unknown_type(kind))
        if kind in self._data and "data" in found:
            reader = self._data[kind]
            if reader.read(found["data"]) is None:
                faults += reader.faults(found["data"], "/data")
        return Invalid(tuple(faults), _text(found.get("id")), _text(found.get("source")))


def _is_encoded(value: str) -> bool:
    """Whether a header's value is ASCII and stands for UTF-8."""
    try:
        unquote(value, errors="strict")
    except UnicodeDecodeError:
        return False
    return value.isascii()


def _repeated(raw: bytes | msgspec.Raw) -> Fault | None:
    """The fault of a name that stands twice in one object, or of the whole, where it cannot be looked at."""
    try:
        pointer = repeated(bytes(raw))
    except RecursionError:
        return Fault("", TOO_DEEP)
    except ValueError:
        return Fault("", "expected JSON in UTF-8")
    return None if pointer is None else Fault(pointer, REPEATED)


def _refuse_half_of_pair(raw: bytes | msgspec.Raw) -> None:
    at = half_of_pair(bytes(raw))
    if at is not None:
        raise InvalidBodyError(at, HALF_OF_PAIR)


def _too_many(most: int, got: int) -> str:
    return f"expected at most {most} events in a batch, got {got}"


def _place(error: Exception) -> str:
    """The JSON pointer of what a body was refused for."""
    found = re.search(r" at `\$\.events(\[[0-9]+\])?", str(error))
    return "" if found is None else "/events" + (found[1] or "").replace("[", "/").removesuffix("]")


def _plain(error: Exception) -> str:
    return str(error).replace("`", "").partition(" - at ")[0][:200]


def _text(raw: msgspec.Raw | None) -> str | None:
    try:
        return msgspec.json.decode(raw, type=str)[:200] if raw is not None else None
    except (msgspec.MsgspecError, ValueError):
        return None


def _unknown_type(name: str) -> Fault:
    near = difflib.get_close_matches(name[:100], CATALOGUE, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    shown = name[:100].encode("utf-8", "replace").decode()
    return Fault("/type", f"unknown event type {shown!r}{hint} GET /v1/event-types lists them")


def _content_type_faults(content_type: str | None) -> list[Fault]:
    if content_type is None:
        return []
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/json" or media.endswith("+json"):
        return []
    return [Fault("/datacontenttype", "expected application/json")]
