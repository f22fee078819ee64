"""What is logged, and what never is: what clients sent, and what is stored about people."""

import logging
import re
from types import TracebackType
from typing import Final

__all__ = ["Discreet", "set_up"]

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s [%(request_id)s]: %(message)s"
_LIBRARIES: Final = ("uvicorn",)
"""Whose lines on starting and stopping are worth having at the level of `info`."""
_shown_exception = re.compile(r"exception=.*", re.DOTALL)


class Discreet(logging.Formatter):
    """Writes errors with their type and place, and without their messages.

    A message may hold anything: Postgres tells the row that it refused, a parser the text that it could not read.
    """

    def formatException(  # noqa: N802 - the name in the library
        self,
        ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> str:
        """Write an error and those that led to it, the first one first."""
        parts = []
        found, seen = ei[1], set[int]()
        while found is not None and id(found) not in seen:
            seen.add(id(found))
            parts.append(_placed(found))
            found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
        return "\nthen\n".join(reversed(parts))

    def format(self, record: logging.LogRecord) -> str:
        """Write a line; where asyncio tells of an error by its `repr`, that is left out."""
        if record.name == "asyncio":
            record.msg, record.args = _shown_exception.sub("exception=…", record.getMessage()), None
        return super().format(record)


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
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    return "\n".join([*lines, f"{kind} ({told})" if told else kind])


def set_up(level: str) -> None:
    """Log to stderr from a level on, each line with the id of the request that it is about.

    The level is that of our own lines. Libraries tell of warnings alone: at `debug` the one for SQL writes rows.
    """
    from app.edge.request_ids import WithRequestId

    handler = logging.StreamHandler()
    handler.addFilter(WithRequestId())
    handler.setFormatter(Discreet(_FORMAT))
    ours: int = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=max(ours, logging.WARNING), handlers=[handler])
    logging.getLogger("partwise").setLevel(ours)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(max(ours, logging.INFO))
