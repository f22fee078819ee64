"""Lines of a log, one for each thing that is said: JSON for machines, text for a terminal."""

import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO

import orjson
from structlog.stdlib import ProcessorFormatter
from structlog.typing import EventDict

from app.logs.discreet import OURS, kind_of, place_of, said
from app.logs.fields import EXTRA
from app.logs.gathered import GatheredLog, Said
from app.use_cases.at_hand import REQUEST_ID
from app.use_cases.fairness import ACTING_FOR

__all__ = ["Form", "Ids", "Lines", "set_up"]

Form = Literal["json", "text"]
Ids = Callable[[], tuple[str, str] | None]
"""The trace and the span at hand, if there are any."""
Context = tuple[str | None, str, tuple[str, str] | None]
"""The request, the tenant, the trace and the span that a line is about."""

_LIBRARIES: Final = ("alembic.runtime.migration", "uvicorn")
"""Whose lines on starting, stopping and migrating are worth having at the level of `info`."""


class Lines:
    """Where this process logs to, and how."""

    def __init__(self, level: str, form: Form, stream: TextIO) -> None:
        """Write lines from a level on to a stream."""
        self.form: Form = form
        self._level: int = logging.getLevelNamesMapping()[level.upper()]
        self._stream = stream
        self._arranged = _Arranged()
        self._rendered = _json if form == "json" else _text
        self._gathered: list[GatheredLog[Context]] = []

    def gathered(self, name: str) -> GatheredLog[Context]:
        """A log for what is said with every request."""
        begun, rendered, output = self._arranged.begun, self._rendered, self._stream.buffer

        def write(said: Sequence[Said[Context]]) -> None:
            lines = [
                rendered(None, level, {**begun(at, level, name, event, context), **fields})
                for at, level, event, context, fields in said
            ]
            output.write(b"\n".join(lines) + b"\n")
            output.flush()

        found = GatheredLog(self._level, time.time, self._arranged.context, write)
        self._gathered.append(found)
        return found

    def flush(self) -> None:
        """Write what was gathered: before the process ends."""
        for each in self._gathered:
            each.flush()

    def trace_by(self, ids: Ids) -> None:
        """Name the trace at hand from here on."""
        self._arranged.ids = ids

    def handler(self) -> logging.Handler:
        """A handler for all that is said by the standard library's loggers."""
        found = logging.StreamHandler(self._stream)
        found.setFormatter(_Discreet(processors=[self._arranged, self._rendered, _decoded]))
        return found

    def install(self) -> None:
        """Log all of this process so.

        The level is that of our own lines. Libraries tell of warnings alone: at `debug` the one for SQL writes rows.
        """
        # What cannot be written is not told by a traceback with its values either.
        logging.raiseExceptions = False
        logging.basicConfig(level=max(self._level, logging.WARNING), handlers=[self.handler()], force=True)
        logging.getLogger(OURS).setLevel(self._level)
        for name in _LIBRARIES:
            logging.getLogger(name).setLevel(max(self._level, logging.INFO))
        # What nobody else tells of would be written with its message.
        threading.excepthook = _of_a_thread
        sys.unraisablehook = _unraisable
        warnings.showwarning = _of_python


def set_up(level: str, form: Form | None = None) -> Lines:
    """Log to stderr from a level on; without a form, text where that is a terminal, and JSON elsewhere."""
    stream = sys.stderr
    found = Lines(level, form or ("text" if stream.isatty() else "json"), stream)
    found.install()
    return found


class _Discreet(ProcessorFormatter):
    """Writes records of the standard library, without the values that they may hold."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a line."""
        plain = logging.makeLogRecord(record.__dict__)
        plain.msg, plain.args = said(record), None
        return super().format(plain)


class _Arranged:
    """Puts a line together, in one order: when, how bad, who says it, what, about which request; then the rest."""

    ids: Ids | None = None

    def __call__(self, logger: Any, method: str, given: EventDict) -> EventDict:
        del logger
        record: logging.LogRecord = given.pop("_record")
        del given["_from_structlog"]
        error = _error_of(given.pop("exc_info")) if "exc_info" in given else None
        line = self.begun(record.created, method, record.name, given.pop("event"), self.context())
        line.update(given)
        line.update({name: value for name in EXTRA if (value := record.__dict__.get(name)) is not None})
        if error is not None:
            line["error"] = kind_of(error)
            line["stack"] = place_of(error)
        return line

    def context(self) -> Context:
        """What is at hand: the request, the tenant, the trace."""
        return REQUEST_ID.get(), ACTING_FOR.get(), None if self.ids is None else self.ids()

    @staticmethod
    def begun(at: float, level: str, logger: str, event: str, context: Context) -> EventDict:
        """The line's fields that come first."""
        line = {"timestamp": datetime.fromtimestamp(at, UTC), "level": level, "logger": logger, "event": event}
        request_id, tenant_id, ids = context
        if request_id is not None:
            line["request_id"] = request_id
        if tenant_id:
            line["tenant_id"] = tenant_id
        if ids is not None:
            line["trace_id"], line["span_id"] = ids
        return line


def _error_of(given: Any) -> BaseException | None:
    found = given[1] if isinstance(given, tuple) else given
    if isinstance(found, BaseException):
        return found
    return sys.exception() if found else None


def _json(logger: Any, method: str, line: EventDict) -> bytes:
    del logger, method
    try:
        return orjson.dumps(line, option=orjson.OPT_UTC_Z)
    except TypeError:
        # Half of a surrogate pair, or no JSON at all.
        return orjson.dumps({name: _plain(value) for name, value in line.items()}, option=orjson.OPT_UTC_Z)


def _plain(value: object) -> object:
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value if isinstance(value, int | float | datetime) else f"({type(value).__name__})"


_BEFORE: Final = frozenset({"timestamp", "level", "logger", "event", "request_id", "stack"})


def _text(logger: Any, method: str, line: EventDict) -> bytes:
    del logger, method
    at = line["timestamp"].timestamp()
    told = [
        f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(at))},{int(at % 1 * 1000):03d}",
        line["level"].upper(),
        line["logger"],
        f"[{line.get('request_id', '-')}]:",
        line["event"],
        *(f"{name}={value}" for name, value in line.items() if name not in _BEFORE),
    ]
    found = " ".join(told)
    if "stack" in line:
        found += "\n" + line["stack"]
    return found.encode(errors="backslashreplace")


def _decoded(logger: Any, method: str, line: Any) -> str:
    del logger, method
    found: bytes = line
    return found.decode()


def _of_a_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_type is not SystemExit:
        logging.getLogger(OURS).error("a thread has failed", exc_info=told.exc_value)


def _unraisable(told: "sys.UnraisableHookArgs") -> None:
    logging.getLogger(OURS).error("an error came where nobody could be told", exc_info=told.exc_value)


def _of_python(  # noqa: PLR0917 - as the library calls it
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Tell of a warning by its category and place; its message may hold anything."""
    del message, file, line
    told = {"kind": category.__qualname__, "place": f"{filename}:{lineno}"}
    logging.getLogger(OURS).warning("a warning of Python", extra=told)
