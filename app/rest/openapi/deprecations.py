"""How the document tells of what is deprecated."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.rest.deprecations import Deprecation
from app.rest.openapi.operations import Operation

__all__ = ["mark_deprecated"]


def mark_deprecated(operations: Iterable[Operation], schemas: dict[str, Any], table: Sequence[Deprecation]) -> None:
    """Mark in the document what the table names.

    Raises:
        ValueError: a row names what there is not.
    """
    known = {f"{operation.method} {operation.path}": operation for operation in operations}
    for row in table:
        try:
            _mark(_part_of(known[row.operation], schemas, row.part), row)
        except (KeyError, StopIteration):
            raise ValueError(f"there is no {row.operation} {row.part}".rstrip()) from None


def _part_of(operation: Operation, schemas: dict[str, Any], part: str) -> dict[str, Any]:
    found: dict[str, Any]
    if not part:
        found = operation.spec
    elif part.startswith("?"):
        found = next(
            one for one in operation.spec.get("parameters", ()) if (one["in"], one["name"]) == ("query", part[1:])
        )
    else:
        schema, _, field = part.partition(".")
        found = schemas[schema]["properties"][field]
    return found


def _mark(part: dict[str, Any], row: Deprecation) -> None:
    part["deprecated"] = True
    told = f"Deprecated since {row.since:%Y-%m-%d}"
    told += f", and may be gone from {row.sunset:%Y-%m-%d} on" if row.sunset else ""
    part["description"] = f"{part.get('description') or ''}\n\n{told}: {row.instead}".strip()
