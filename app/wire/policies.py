"""Policies as JSON: models that are derived from the core's dataclasses, with their bounds."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from dataclasses import Field as Attribute
from datetime import time
from decimal import Decimal
from functools import cache
from math import isfinite
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, Union, get_args, get_origin, get_type_hints

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from app.core.policy import Policy
from app.core.setting_error import SettingError
from app.use_cases.errors import InvalidFieldsError
from app.wire.faults import pointer_to
from app.wire.surrogates import HALF_OF_PAIR, half_in

__all__ = ["JsonPolicies", "PolicySettings"]

_NOT_SETTINGS = frozenset({"version"})


class _Part(BaseModel):
    """A dataclass of the policy as JSON."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    made_from: ClassVar[type[Any]]

    def make(self) -> Any:
        """The dataclass again."""
        return self.made_from(**{name: _made(getattr(self, name)) for name in type(self).model_fields})

    @model_validator(mode="after")
    def _holds_together(self) -> Self:
        """What each dataclass demands of its values together."""
        self.make()
        return self


def _made(value: Any) -> Any:
    if isinstance(value, _Part):
        return value.make()
    return tuple(map(_made, value)) if isinstance(value, tuple) else value


def _read_clock(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not re.fullmatch(_CLOCK, value):
        raise ValueError("expected hours and minutes, such as 09:00")
    return time.fromisoformat(value)


_CLOCK = r"([01][0-9]|2[0-3]):[0-5][0-9]"
_Clock = Annotated[
    time,
    BeforeValidator(_read_clock),
    PlainSerializer(lambda value: f"{value:%H:%M}", return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK}$", "examples": ["09:00"]}),
]
"""A local time; JSON Schema's own format for times wants an offset."""


def _read_decimal(value: object) -> object:
    plain = isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    if plain or (isinstance(value, str) and re.fullmatch(_DECIMAL, value)):
        return Decimal(str(value))
    raise ValueError("expected a decimal number, such as 90.50")


def _as_set(members: list[Any]) -> frozenset[Any]:
    """As a set, to which the library itself would take a member any number of times."""
    found = frozenset(members)
    if len(found) < len(members):
        twice = next(one for one, count in Counter(members).items() if count > 1)
        raise ValueError(f"{twice} is given more than once")
    return found


_UNIQUE = Field(json_schema_extra={"uniqueItems": True})
_DECIMAL = r"[0-9]+(\.[0-9]+)?"
_IN_DIGITS = PlainSerializer(lambda value: f"{value:f}", return_type=str, when_used="json")
_DECIMAL_SCHEMA = {
    "type": ["number", "string"],
    "pattern": f"^{_DECIMAL}$",
    "minimum": 0.000_000_001,
    "maximum": 1_000_000_000,
}


@cache
def _model(cls: type[Any]) -> type[_Part]:
    """The model of a dataclass; its class docstring describes it, bounds come with the annotations."""
    hints = get_type_hints(cls, include_extras=True)
    found: dict[str, Any] = {
        field.name: (_modelled(hints[field.name]), _default(field))
        for field in fields(cls)
        if field.name not in _NOT_SETTINGS
    }
    model = create_model(cls.__name__, __base__=_Part, __doc__=cls.__doc__, **found)
    model.made_from = cls
    return model


def _modelled(hint: Any) -> Any:
    """A type with models in place of dataclasses, and with steady JSON."""
    base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if is_dataclass(base):
        return _model(base)  # type: ignore[arg-type]
    if base is time:
        return _Clock
    if base is Decimal:
        return Annotated[hint, BeforeValidator(_read_decimal), _IN_DIGITS, WithJsonSchema(_DECIMAL_SCHEMA)]
    if get_origin(base) is frozenset:
        # Sets have no order, and the same policy is to be the same JSON.
        limits = get_args(hint)[1:] if base is not hint else ()
        members: Any = list[get_args(base)]  # type: ignore[misc]
        in_order = PlainSerializer(sorted, when_used="json")
        return Annotated[(members, *limits, AfterValidator(_as_set), in_order, _UNIQUE)]
    if base is not hint or not get_args(hint) or get_origin(hint) is Literal:
        return hint
    parts = tuple(part if part in (Ellipsis, type(None)) else _modelled(part) for part in get_args(hint))
    return Union[parts] if isinstance(hint, UnionType) else get_origin(hint)[parts]  # noqa: UP007 - of a tuple


def _default(field: Attribute[Any]) -> FieldInfo:
    if field.default is not MISSING:
        value = _modelled_value(field.default)
        return FieldInfo(default=value)
    if field.default_factory is not MISSING:
        make = field.default_factory
        return FieldInfo(default_factory=lambda: _modelled_value(make()))
    return FieldInfo()


def _modelled_value(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        model = _model(type(value))
        return model.model_construct(**{name: _modelled_value(getattr(value, name)) for name in model.model_fields})
    if isinstance(value, tuple):
        return tuple(map(_modelled_value, value))
    return dict(value) if isinstance(value, Mapping) else value


PolicySettings = _model(Policy)
"""All settings of a policy."""


class JsonPolicies:
    """Keeps the promise of `app.ports.policies.PolicyFormat`."""

    def dump(self, policy: Policy) -> str:
        """Write a policy; see the port."""
        found: _Part = _modelled_value(policy)
        return found.model_dump_json()

    def load(self, version: str, settings: str) -> Policy:
        """Read a policy; see the port."""
        found = PolicySettings.model_validate_json(settings)
        values = {name: _made(getattr(found, name)) for name in type(found).model_fields}
        return Policy(version=version, **values)

    def patched(self, settings: str, patch: Mapping[str, Any]) -> str:
        """Change settings; see the port."""
        try:
            # As JSON once more: strict reading of JSON takes dates and decimals as strings, and nothing else for them.
            merged = json.dumps(_merged(json.loads(settings), patch))
            return PolicySettings.model_validate_json(merged).model_dump_json()
        except RecursionError:
            raise InvalidFieldsError("the settings are no policy", [("/settings", "nested too deeply")]) from None
        except ValidationError as error:
            faults = [(_pointer(each), each["msg"].removeprefix("Value error, ")) for each in error.errors()]
            at = half_in(patch)
            if at is not None:
                faults = [(f"/settings{at}", HALF_OF_PAIR)]
            raise InvalidFieldsError("the settings are no policy", faults) from None


def _pointer(error: ErrorDetails) -> str:
    reason = error.get("ctx", {}).get("error")
    path = reason.path if isinstance(reason, SettingError) else ()
    return pointer_to("settings", *error["loc"], *path)


def _merged(target: Any, patch: Any) -> Any:
    """JSON Merge Patch, RFC 7396, section 2."""
    if not isinstance(patch, Mapping):
        return patch
    found = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merged(found.get(name), value)
    return found
