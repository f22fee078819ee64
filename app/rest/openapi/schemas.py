"""Schemas as generators of clients like them."""

from typing import Any

__all__ = ["tidied"]


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
    return {
        name: _untitled(value, names=name in ("properties", "mapping") and not names)
        for name, value in part.items()
        if names or name != "title"
    }
