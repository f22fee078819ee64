"""Schemas as generators of clients like them."""

from typing import Any, Final


__all__ = ["tidied"]

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
        if found.get("type") == "integer" and abs(found.get("maximum", _BEYOND)) < _BEYOND:
            found.setdefault("format", "int32")
        if found.get("format") in _LONGEST and found.get("type") == "string":
            found.setdefault("maxLength", _LONGEST[found["format"]])
        if "prefixItems" in found:
            # Says nothing beyond them, but older readers know no other word.
            found.setdefault("items", {"anyOf": found["prefixItems"]})
    return found
