"""What never gets into a log: what clients sent, and what is stored about people."""

import logging
import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["kind_of", "place_of", "said"]

OURS: Final = "partwise"
_PLAIN: Final = ("alembic", "uvicorn")
"""Libraries whose messages hold addresses of ours, names of revisions and signals, and nothing else."""
_HIDDEN: Final = "…"
_shown_exception = re.compile(r"exception=.*", re.DOTALL)


def said(record: logging.LogRecord) -> str:
    """The message of a record: of a library's with its numbers, and without whatever else it would show.

    What it would show may be anything: a row, a header, the connection to somebody.
    """
    message, values = str(record.msg), record.args
    if values and record.name.partition(".")[0] not in (OURS, *_PLAIN):
        values = _hidden(values)
    try:
        found = message % values if values else message
    except Exception:
        # A line that is written wrongly is told as it is written.
        found = message
    if record.name == "asyncio":
        # It tells of an error by its `repr`.
        found = _shown_exception.sub("exception=" + _HIDDEN, found)
    return found


def _hidden(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {name: _number_or_nothing(value) for name, value in values.items()}
    return tuple(map(_number_or_nothing, values))


def _number_or_nothing(value: object) -> object:
    return value if isinstance(value, int | float) else _HIDDEN


def kind_of(error: BaseException) -> str:
    """The type of an error."""
    return f"{type(error).__module__}.{type(error).__qualname__}"


def place_of(error: BaseException) -> str:
    """An error and those that led to it, the first one first, with their types and places and without their messages.

    A message may hold anything: Postgres tells the row that it refused, a parser the text that it could not read.
    """
    parts = []
    found: BaseException | None = error
    seen = set[int]()
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        parts.append(_placed(found))
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return "\nthen\n".join(reversed(parts))


def _placed(error: BaseException) -> str:
    lines = []
    traceback = error.__traceback__
    while traceback is not None:
        code = traceback.tb_frame.f_code
        lines.append(f"  {code.co_filename}:{traceback.tb_lineno} {code.co_qualname}")
        traceback = traceback.tb_next
    told = ", ".join(
        f"{name} {value}"
        for name in ("sqlstate", "table_name", "constraint_name")
        if isinstance(value := getattr(error, name, None), str)
    )
    kind = kind_of(error)
    return "\n".join([*lines, f"{kind} ({told})" if told else kind])
