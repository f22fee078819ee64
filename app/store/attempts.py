"""The tries of a delivery as they are stored: JSON, read as a whole."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from app.ports.webhooks import Attempt

__all__ = ["dump_attempts", "load_attempts"]

_Row = tuple[datetime, int | None, str | None, int, str]
_encoder: Final = msgspec.json.Encoder()
_decoder: Final = msgspec.json.Decoder(list[_Row])


def dump_attempts(attempts: Sequence[Attempt]) -> str:
    """As text; Postgres takes no NUL, which JSON writes as an escape."""
    return _encoder.encode([(one.at, one.status, one.error, one.milliseconds, one.answer) for one in attempts]).decode()


def load_attempts(text: str) -> list[Attempt]:
    """From text."""
    return [Attempt(*row) for row in _decoder.decode(text)]
