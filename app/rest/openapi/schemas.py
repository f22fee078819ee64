"""Schemas as generators of clients like them."""

from typing import Any, Final

from app.core.money import CURRENCIES

__all__ = ["CURRENCY", "tidied"]

CURRENCY: Final[dict[str, Any]] = {
    "title": "Currency",
    "description": "An active ISO 4217 code.",
    "type": "string",
    "enum": sorted(CURRENCIES),
}
"""As a schema of its own, so that generators make one type of it."""
_BEYOND: Final = 2**31
"""What needs more bits than 32."""
_LONGEST: Final = {"date": 10, "date-time": 64}


def tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """A named schema without titles of its properties, which only repeat their names, and with its text for readers."""
    found: dict[str, Any] = _untitled(schema)
    if "title" in schema:
        found = {"title": schema["title"], **found}
    if "description" in found:
        # What follows is for readers of the code.
        found["description"] = found["description"].partition("\n\nAttributes:")[0]
    return found


def _untitled(part: Any, *, names: bool = False) -> Any:
    if isinstance(part, list):
        return [_untitled(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {
        name: _untitled(value, names=name in ("properties", "mapping") and not names)
        for name, value in part.items()
        if names or name != "title"
    }
    if not names:
        if found.get("enum") == CURRENCY["enum"]:
            found = {"$ref": "#/components/schemas/Currency", **{k: v for k, v in found.items() if k not in CURRENCY}}
        if found.get("type") == "integer" and abs(found.get("maximum", _BEYOND)) < _BEYOND:
            found.setdefault("format", "int32")
        if found.get("format") in _LONGEST and found.get("type") == "string":
            found.setdefault("maxLength", _LONGEST[found["format"]])
        if "prefixItems" in found:
            # Says nothing beyond them, but older readers know no other word.
            found.setdefault("items", {"anyOf": found["prefixItems"]})
    return found
