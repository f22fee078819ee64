"""Readers of flat JSON objects: quick when all is well, thorough when it is not."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, get_args, get_origin

import msgspec

from app.wire.faults import Fault, pointer_to
from app.wire.fields import FieldRule
from app.wire.surrogates import HALF_OF_PAIR, half_of_pair

__all__ = ["ObjectReader"]

_MOST_FAULTS = 100
"""Of one object that are told."""


class ObjectReader:
    """Reads one kind of JSON object.

    The quick way decodes all at once; only where that fails is the object read again field by field, so that every
    fault is found and named.
    """

    def __init__(self, name: str, rules: Sequence[FieldRule], *, strict: bool) -> None:
        """Compile the rules.

        Args:
            name: of the object, for its schema.
            rules: of its fields.
            strict: whether unknown fields are faults.
        """
        self._rules = {rule.name: rule for rule in rules}
        self._strict = strict
        fields: list[Any] = [
            (rule.name, rule.kind) if rule.required else (rule.name, rule.kind, rule.default) for rule in rules
        ]
        self.kind: type[msgspec.Struct] = msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=strict)
        self._decoder = msgspec.json.Decoder(self.kind)
        self._checks: list[tuple[str, Callable[[Any], str | None]]] = [
            (rule.name, rule.check) for rule in rules if rule.check is not None
        ]
        self._written = [(rule.name, rule.written) for rule in rules if rule.written is not None]
        texts: list[Any] = [(name, msgspec.Raw, msgspec.Raw(b"null")) for name, _ in self._written]
        self._texts = msgspec.json.Decoder(msgspec.defstruct(f"{name}Texts", texts, kw_only=True))
        self._single = {rule.name: msgspec.json.Decoder(rule.kind) for rule in rules}

    def read(self, raw: bytes | msgspec.Raw) -> Any:
        """Decode and check an object; the struct, or None when anything is wrong (see `faults`)."""
        try:
            found = self._decoder.decode(raw)
        except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError):
            return None
        for name, check in self._checks:
            if check(getattr(found, name)) is not None:
                return None
        if self._written:
            texts = self._texts.decode(raw)
            for name, check_text in self._written:
                if check_text(bytes(getattr(texts, name))) is not None:
                    return None
                value = getattr(found, name)
                # 1e2 is written again as strings of digits are to be: 100.
                if value is not None and value.as_tuple().exponent > 0:
                    setattr(found, name, value.quantize(1))
        return found

    def faults(self, raw: bytes | msgspec.Raw, pointer: str) -> list[Fault]:
        """Everything that is wrong with an object, by the order of its fields; of very much the first part."""
        try:
            found = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
        except msgspec.ValidationError:
            return [Fault(pointer, "expected an object")]
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            at = half_of_pair(bytes(raw))
            if at is not None:
                return [Fault(pointer + at, HALF_OF_PAIR)]
            return [Fault(pointer, f"expected JSON: {_reason(error)}")]
        faults = [
            Fault(f"{pointer}/{name}", "missing")
            for name, rule in self._rules.items()
            if rule.required and name not in found
        ]
        for name, value in found.items():
            if len(faults) >= _MOST_FAULTS:
                break
            rule = self._rules.get(name)
            if rule is not None:
                expected = self._fault(rule, value)
                faults.extend([Fault(f"{pointer}/{name}", expected)] if expected else [])
            elif self._strict:
                known = ", ".join(self._rules)
                faults.append(Fault(pointer + pointer_to(name), f"unknown field; known are: {known}"))
        return faults or [Fault(pointer, "cannot be read")]

    def _fault(self, rule: FieldRule, value: msgspec.Raw) -> str | None:
        try:
            decoded = self._single[rule.name].decode(value)
        except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as error:
            choices = _choices(rule.kind)
            return f"expected one of {choices}" if choices else _reason(error)
        expected = rule.check(decoded) if rule.check else None
        return expected or (rule.written(bytes(value).strip()) if rule.written else None)


def _choices(kind: Any) -> str:
    """The values that a field may have, where they are few enough to be told."""
    inner = next((part for part in get_args(kind) if get_origin(part) is Literal), kind)
    return ", ".join(map(str, get_args(inner))) if get_origin(inner) is Literal else ""


def _reason(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "nested too deeply"
    text = str(error).replace("`", "")[:200]
    return text if text.startswith("JSON") else text[:1].lower() + text[1:]
