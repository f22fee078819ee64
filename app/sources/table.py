"""What a source that comes as a table (CSV) is: the columns that it needs, and what each row says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any

__all__ = ["Row", "RowError", "TableSource", "at", "cloud_event"]

Row = Mapping[str, str]


class RowError(Exception):
    """A row that cannot be read: the column, and what was expected in it."""

    def __init__(self, column: str, expected: str, got: str) -> None:
        """Name the column."""
        super().__init__(f"{column}: expected {expected}, got {got!r}")


@dataclass(frozen=True, slots=True)
class TableSource:
    """One kind of table.

    Attributes:
        name: as in `import --map NAME`.
        columns: which must be there; others are passed over.
        events: from a row to the CloudEvents that it tells, with ids that are the same whenever it is read; raises
            `RowError`.
    """

    name: str
    columns: tuple[str, ...]
    events: Callable[[Row], list[dict[str, Any]]]


def at(day: date, hour: int) -> datetime:
    """An hour of a day, in UTC: tables tell days, events want instants."""
    return datetime.combine(day, time(hour), UTC)


def cloud_event(source: str, name: str, kind: str, client_id: str, when: datetime, **data: Any) -> dict[str, Any]:
    """One CloudEvent as JSON."""
    return {
        "specversion": "1.0",
        "id": name,
        "source": source,
        "type": kind,
        "subject": client_id,
        "time": when.isoformat(),
        "data": data,
    }
