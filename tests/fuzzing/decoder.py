"""Fuzzes the decoder of events: `python -m tests.fuzzing.decoder --seconds=60`.

Bytes in, and whatever they are: no error but the refusals that are documented, what is taken is just what a slow reader
takes, and what was taken and is written again is taken again and the same. Coverage guides atheris, where there is one
for this Python; elsewhere Hypothesis draws.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
import types
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from app.core.events import CATALOGUE
from app.ports.ledger import NewEvent
from app.wire.cloudevents import EventDecoder
from app.wire.faults import Invalid, InvalidBodyError, MalformedBodyError
from app.wire.fields import annotations_of
from app.wire.quick import QuickReader
from app.wire.readers import ObjectReader
from tests.cloud_events import EVERY_TYPE, as_json, cloud_event
from tests.fuzzing import reference

__all__ = ["TOKENS", "judge", "mutated"]

NOON: Final = datetime(2026, 1, 1, 12, tzinfo=UTC)
MOST: Final = 64 * 1024
"""Bytes of one input."""


class _Noon:
    def now(self) -> datetime:
        return NOON


DECODER: Final = EventDecoder(_Noon())
KINDS: Final = {name: {field.name: field for field in annotations_of(kind.data)} for name, kind in CATALOGUE.items()}
# What is put somewhere into an event.
TOKENS: Final = (
    *(b"null true false 0 -0 1 -1 01 1.0 1e2 1E400 -1e400 1e-999999999 1e99999999999999999999 NaN Infinity".split()),
    *(b'"" "5" "05" "5.1234567" "1e2" "EUR" "eur" "Europe/Berlin" "1.0" {} [] {"a":1,"a":2} [[[[]]]]'.split()),
    *(b'"2026-02-30" "1969-12-31" "2200-01-01" "2026-01-01T24:00:00Z" "2026-06-30T23:59:60Z"'.split()),
    *(b'"2026-01-01T00:00:00" "2026-01-01T00:00:00+0100" "2026-01-01T00:00:00.9999999Z"'.split()),
    b'"2026-01-01 00:00:00+01"',
    b'"0001-01-01T00:00:00+14:00"',
    *(rb'"\u0000" "\ud800" "\udc00\ud800" "\ufdd0" "\u007f" "\"" "\u0022" "\u0061" "\n" "\/"'.split()),
    *(b'\x00 \xff \xc0\x80 \xed\xa0\x80 \xef\xbb\xbf \xf4\x90\x80\x80 " \\ , : { } [ ] \x7f \xef\xb7\x90'.split(b" ")),
    b"9" * 5000,
    b"[" * 2000,
    b'{"a":' * 2000,
    b'"' + b"x" * 201 + b'"',
)


def judge(raw: bytes) -> None:
    """Hold the decoder to its promises for some bytes."""
    found = DECODER.structured(raw)
    expected = reference.read(raw)
    _agree(found, expected, raw)
    thorough = DECODER.thorough(raw)
    assert thorough == found, "two ways, two answers"
    if isinstance(found, NewEvent):
        _round_trip(found, raw)
    assert DECODER.lines([raw, raw]) == [found, found], "a line is read otherwise than by itself"
    for body in (raw, b"[" + raw + b"]", b"[" + raw + b"," + raw + b"]"):
        try:
            batch = DECODER.batch(body, 100)
        except (MalformedBodyError, InvalidBodyError):
            continue
        assert all(isinstance(one, NewEvent | Invalid) for one in batch)
        if isinstance(found, NewEvent) and body is not raw:
            assert batch == [found] * len(batch), "an event of a batch is read otherwise than by itself"
    binary = DECODER.binary([("ce-id", "1"), ("ce-type", "invoice.paid"), ("ce-x", raw[:50].decode("latin-1"))], raw)
    assert isinstance(binary, NewEvent | Invalid)
    for body in (raw, b'{"events":[' + raw + b"]}"):
        try:
            supposed = DECODER.supposed(body, 100, "acme", NOON)
        except (MalformedBodyError, InvalidBodyError):
            continue
        assert all(isinstance(one, NewEvent | Invalid) for one in supposed)


def _agree(found: NewEvent | Invalid, expected: dict[str, Any] | None, raw: bytes) -> None:
    if isinstance(found, Invalid):
        assert found.faults, "refused without a reason"
        assert all(fault.detail and len(fault.detail) < 1000 for fault in found.faults)
        assert expected is None, f"refused, and nothing is wrong with it: {found.faults}"
        return
    assert expected is not None, f"taken, and something is wrong with it: {raw[:500]!r}"
    told = (found.id, found.source, found.type, found.client_id, found.time)
    named = (*(expected[name] for name in ("id", "source", "type", "subject")), expected["time"] or NOON)
    assert told == named, f"{told} is not {named}"
    data = msgspec.json.decode(found.data)
    fields = KINDS[found.type]
    read = {name: _value(data.get(name), expected["data"][name]) for name in fields}
    assert read == expected["data"], f"{read} is not {expected['data']}"


def _value(written: Any, like: Any) -> Any:
    """A stored value, of the same kind as that of the slow reader."""
    if written is None or isinstance(like, str | bool):
        return written
    if isinstance(like, Decimal):
        return Decimal(written)
    return (
        datetime.fromisoformat(written).astimezone(UTC) if isinstance(like, datetime) else date.fromisoformat(written)
    )


def _round_trip(event: NewEvent, raw: bytes) -> None:
    again = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.client_id,
        "time": event.time.isoformat(),
        "data": msgspec.Raw(event.data.encode()),
    }
    found = DECODER.structured(msgspec.json.encode(again))
    assert isinstance(found, NewEvent), f"taken once, and not again: {found}"
    assert (found.data, found.time) == (event.data, event.time)
    third = DECODER.structured(msgspec.json.encode(again))
    assert third == found
    DECODER.load(event.type, event.data)
    del raw


def mutated(draw: random.Random) -> bytes:
    """An event with something put into it, or cut out of it, or changed in it."""
    kind = draw.choice(sorted(EVERY_TYPE))
    event = cloud_event(str(draw.randrange(100)), kind)
    raw = bytearray(as_json(event))
    for _ in range(draw.choice((0, 1, 1, 1, 2, 3))):
        names = [*event, *event.get("data", {})]
        match draw.randrange(5):
            case 0:  # the value of a field
                name = as_json(draw.choice(names)) + b": "
                at = raw.find(name)
                end = min((i for i in (raw.find(b", ", at), raw.find(b"}", at)) if i > at), default=len(raw))
                if at >= 0:
                    raw[at + len(name) : end] = draw.choice(TOKENS)
            case 1:  # something somewhere
                at = draw.randrange(len(raw) + 1)
                raw[at:at] = draw.choice(TOKENS)
            case 2:  # a piece less
                at = draw.randrange(len(raw) + 1)
                del raw[at : at + draw.randrange(1, 9)]
            case 3:  # a byte
                if raw:
                    raw[draw.randrange(len(raw))] = draw.randrange(256)
            case 4:  # a piece twice
                at = draw.randrange(len(raw) + 1)
                piece = raw[at : at + draw.randrange(1, 60)]
                raw[at:at] = piece
    return bytes(raw[:MOST])


def _by_chance(seconds: float, seed: int) -> int:
    draw, ends, count = random.Random(seed), time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        raw = mutated(draw)
        count += 1
        try:
            judge(raw)
        except BaseException:
            print(f"fails, the {count}th of seed {seed}: {raw!r}")
            raise
    print(f"decoder: {count:,} inputs in {seconds:g} s, drawn by chance; 0 failures; seed {seed}")
    return 0


def _by_coverage(seconds: int, seed: int) -> int:
    """Let libFuzzer run in a process of its own: it ends the process that it runs in."""
    with tempfile.TemporaryDirectory(prefix="partwise-fuzz-") as folder:
        corpus = Path(folder) / "corpus"
        corpus.mkdir()
        for number, kind in enumerate(EVERY_TYPE):
            (corpus / f"{number}").write_bytes(as_json(cloud_event(kind=kind)))
        words = Path(folder) / "words"
        escaped = ("".join(f"\\x{byte:02x}" for byte in token) for token in TOKENS if len(token) < 64)
        words.write_text("".join(f'"{token}"\n' for token in escaped))
        done = subprocess.run(
            [
                *(sys.executable, "-m", "tests.fuzzing.decoder", "--inner", str(corpus)),
                *(f"-max_total_time={seconds}", f"-seed={seed % 2**31 or 1}", f"-max_len={MOST}", f"-dict={words}"),
                # An input that takes longer is a failure.
                *("-timeout=5", f"-artifact_prefix={folder}/", "-print_final_stats=1"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output = done.stdout.decode(errors="replace")
        failing = [path.read_bytes() for path in Path(folder).glob("*-*") if path.is_file()]
    if done.returncode or failing:
        print(output[-6000:])
        for raw in failing:
            print(f"fails: {raw!r}")
    stats = dict(line.removeprefix("stat::").split(":") for line in output.splitlines() if line.startswith("stat::"))
    executed = int(stats.get("number_of_executed_units", 0))
    new = int(stats.get("new_units_added", 0))
    print(
        f"decoder: {executed:,} inputs in {seconds} s, {new:,} of them new in coverage (atheris);"
        f" {len(failing) or int(done.returncode != 0)} failures; seed {seed}"
    )
    return 1 if done.returncode or failing or not executed else 0


def _inner(arguments: Sequence[str]) -> None:
    import atheris

    for module in ("cloudevents", "quick", "repeats", "fields", "readers", "faults"):
        for value in vars(sys.modules[f"app.wire.{module}"]).values():
            if isinstance(value, types.FunctionType) and value.__module__ == f"app.wire.{module}":
                atheris.instrument_func(value)
    for kind in (EventDecoder, QuickReader, ObjectReader):
        for value in vars(kind).values():
            if isinstance(value, types.FunctionType):
                atheris.instrument_func(value)
    atheris.Setup([sys.argv[0], *arguments], judge)
    atheris.Fuzz()


def main(arguments: Sequence[str]) -> int:
    """Fuzz for some seconds."""
    if arguments[:1] == ["--inner"]:
        _inner(arguments[1:])
        return 0
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing.decoder")
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--by-chance", action="store_true", help="without atheris")
    given = parser.parse_args(arguments)
    try:
        import atheris  # noqa: F401 - whether it is there
    except ImportError:
        return _by_chance(given.seconds, given.seed)
    half = given.seconds // 2
    return _by_chance(half, given.seed) or _by_coverage(given.seconds - half, given.seed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
