"""`import`: send a table as events, through the public API."""

import csv
import time
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.cli.demo import kept_key
from app.cli.errors import CommandError
from app.settings import read_settings
from app.sources import TABLES, RowError, TableSource

_BATCH = 500
_MOST_SHOWN = 10
_TRIES = 6


def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file with a header line.")],
    map: Annotated[str, typer.Option(help=f"How to read it: {', '.join(TABLES)}.")],  # noqa: A002 - the option's name
    key: Annotated[
        str,
        typer.Option(
            envvar="PARTWISE_API_KEY", help="A key with the scope ingest [default: that of the demo].", show_envvar=True
        ),
    ] = "",
    url: Annotated[
        str | None, typer.Option(help="Where Partwise answers [default: this machine, PORT or 8000].")
    ] = None,
) -> None:
    """Send a table of another system as events; sending it again is harmless.

    The whole file is checked before anything is sent.
    """
    source = TABLES.get(map)
    if source is None:
        raise CommandError(f"--map: expected one of {', '.join(TABLES)}; got {map!r}")
    settings = read_settings()
    key = key or kept_key(settings)
    if not key:
        raise CommandError("no API key: give --key, or set PARTWISE_API_KEY (`keys create` makes one)")
    rows = _check(file, source)
    base = url or f"http://127.0.0.1:{settings.port}"
    counts = _send_all(file, source, rows, base.rstrip("/"), key)
    typer.echo(", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items())) or "nothing to send")
    if counts["conflict"] or counts["invalid"]:
        raise CommandError("some events were not stored; the lines above say which and why")


def _events(file: Path, source: TableSource) -> Iterator[tuple[int, list[dict[str, Any]] | RowError]]:
    """For each line of the file, its events or what is wrong with it."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened, restval="")
            missing = [column for column in source.columns if column not in (reader.fieldnames or ())]
            if missing:
                raise CommandError(f"{file}: the header has no {', '.join(missing)}")
            for row in reader:
                try:
                    yield reader.line_num, source.events(row)
                except RowError as error:
                    yield reader.line_num, error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CommandError(f"{file}: {error.strerror if isinstance(error, OSError) else error}") from None


def _check(file: Path, source: TableSource) -> int:
    rows, bad = 0, []
    for line, found in _events(file, source):
        rows += 1
        if isinstance(found, RowError):
            bad.append(f"{file}, line {line}: {found}")
    for message in bad[:_MOST_SHOWN]:
        typer.echo(message, err=True)
    if bad:
        raise CommandError(f"{len(bad)} of {rows} rows cannot be read; nothing was sent")
    return rows


def _send_all(file: Path, source: TableSource, rows: int, base: str, key: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    found = (events for _, events in _events(file, source) if not isinstance(events, RowError))
    columns = (TextColumn("Sending rows"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cloudevents-batch+json"}
    with (
        httpx.Client(base_url=base, headers=headers, timeout=60) as client,
        Progress(*columns, console=Console(stderr=True)) as progress,
    ):
        task = progress.add_task("", total=rows)
        while group := list(islice(found, _BATCH // 4)):
            answer = _send(client, [event for events in group for event in events])
            for result in answer["results"]:
                counts[result["status"]] += 1
                if (
                    result["status"] in ("conflict", "invalid")
                    and counts["conflict"] + counts["invalid"] <= _MOST_SHOWN
                ):
                    why = "; ".join(f"{e['pointer']}: {e['detail']}" for e in result.get("errors", ()))
                    typer.echo(f"{result['id']}: {result['status']} {why}".rstrip(), err=True)
            progress.advance(task, len(group))
    return counts


def _send(client: httpx.Client, events: list[dict[str, Any]]) -> dict[str, Any]:
    """Send a batch; a server that is away or busy is tried again, which is safe: events have ids."""
    problem = ""
    for attempt in range(_TRIES):
        try:
            answer = client.post("/v1/events", json=events)
        except httpx.TransportError as error:
            problem = f"cannot reach {client.base_url}: {error}"
        except httpx.InvalidURL as error:
            raise CommandError(f"--url: {error}") from None
        else:
            if answer.is_success:
                found: dict[str, Any] = answer.json()
                return found
            problem = _problem(answer)
            if answer.status_code not in (429, 503):
                break
        if attempt < _TRIES - 1:
            time.sleep(0.2 * 2**attempt)
    raise CommandError(problem)


def _problem(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code}: {answer.json()['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase} from {answer.url}; is this Partwise?"
