"""Scalars, each with the page that specifies it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, NewType

import msgspec
import strawberry
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FloatValueNode,
    IntValueNode,
    ListValueNode,
    ObjectValueNode,
    StringValueNode,
    ValueNode,
    VariableNode,
)
from strawberry.types.scalar import ScalarDefinition

from app.wire.moments import EXPECTED_MOMENT, read_moment

__all__ = ["JSON", "SCALARS", "Moment", "decode_json", "encode_json"]

Moment = NewType("Moment", object)
"""An instant or a day, as it was read."""
JSON = NewType("JSON", object)
"""Any JSON value."""


def _instant(value: datetime) -> str:
    text = value.isoformat() if value.tzinfo is UTC else value.astimezone(UTC).isoformat()
    return text[:-6] + "Z"


def _read_instant(value: object) -> datetime:
    found = _read_moment(value)
    if not isinstance(found, datetime):
        raise ValueError("expected an RFC 3339 instant such as 2026-03-31T12:00:00Z")
    return found


def _read_day(value: object) -> date:
    found = _read_moment(value)
    if isinstance(found, datetime):
        raise ValueError("expected a day such as 2026-03-31")
    return found


def _read_moment(value: object) -> datetime | date:
    if not isinstance(value, str) or len(value) > 40:
        raise ValueError(EXPECTED_MOMENT)
    return read_moment(value)


def _read_decimal(value: object) -> Decimal:
    raise ValueError("amounts are not taken as arguments")


encode_json: Final = msgspec.json.Encoder(decimal_format="number").encode
"""Writes JSON that was taken as an argument, whose numbers are decimals where they have a fraction."""


def read_number(text: str) -> float | Decimal:
    """A JSON number with all its digits: amounts in events are decimal."""
    value = float(text)
    return value if repr(value) == text else Decimal(text)


decode_json: Final = msgspec.json.Decoder(float_hook=read_number).decode


def _json_literal(node: ValueNode, variables: Mapping[str, Any] | None = None) -> Any:
    """JSON that is written in a document."""
    found: Any = None
    match node:
        case FloatValueNode(value=text):
            found = read_number(text)
        case IntValueNode(value=text):
            found = int(text) if len(text) < 4_000 else Decimal(text)
        case ListValueNode(values=values):
            found = [_json_literal(one, variables) for one in values]
        case ObjectValueNode(fields=fields):
            given = [field for field in fields if not _is_absent(field.value, variables)]
            found = {field.name.value: _json_literal(field.value, variables) for field in given}
        case VariableNode(name=name):
            found = (variables or {}).get(name.value)
        case StringValueNode(value=value) | BooleanValueNode(value=value) | EnumValueNode(value=value):
            found = value
    return found


def _is_absent(node: ValueNode, variables: Mapping[str, Any] | None) -> bool:
    """Whether it is a variable that was not given: then its member is left out, and is not null."""
    return isinstance(node, VariableNode) and node.name.value not in (variables or {})


def _any(value: Any) -> Any:
    return value


SCALARS: Final[Mapping[object, ScalarDefinition]] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="An instant in UTC, to the microsecond.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=_instant,
        parse_value=_read_instant,
    ),
    date: strawberry.scalar(
        name="Date",
        description="A local day of the tenant.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        serialize=date.isoformat,
        parse_value=_read_day,
    ),
    Decimal: strawberry.scalar(
        name="Decimal",
        description="A decimal number as a string, so that nothing is lost in floating point.",
        specified_by_url="https://www.w3.org/TR/xmlschema11-2/#decimal",
        serialize=str,
        parse_value=_read_decimal,
    ),
    Moment: strawberry.scalar(
        name="Moment",
        description="An RFC 3339 instant, or a day: its end in the tenant's zone.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc3339",
        serialize=str,
        parse_value=_read_moment,
    ),
    JSON: strawberry.scalar(
        name="JSON",
        description="Any JSON value.",
        specified_by_url="https://www.rfc-editor.org/rfc/rfc8259",
        serialize=_any,
        parse_value=_any,
        parse_literal=_json_literal,
    ),
}
