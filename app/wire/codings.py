"""Content codings, both ways: gzip and zstd (RFC 9110, 8.4; RFC 8878)."""

import sys
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final, Literal, NamedTuple, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from app.wire.faults import MalformedBodyError

__all__ = [
    "CODINGS",
    "BrokenCodingError",
    "Coding",
    "Decoder",
    "Encoder",
    "InflatedBodyError",
    "UnknownCodingError",
    "Wanted",
    "coding_of",
    "wanted",
]

Coding = Literal["zstd", "gzip"]
CODINGS: Final[tuple[Coding, ...]] = ("zstd", "gzip")
"""The ones there are; the first is taken where a client wants several alike."""

_PIECE: Final = 64 * 1024
"""What is decoded at once: a few bytes can stand for gigabytes."""
_MOST_TIMES: Final = 100
"""How much longer than what was sent the decoded body may be. Events become some thirty times shorter at best."""
_UNWEIGHED: Final = 8 * 1024 * 1024
"""Up to this length that is not looked at, as other limits hold."""
_TAKEN_AT_ONCE: Final = 16 * 1024
"""What is handed to a decompressor at once: at the end of each member it copies all that it did not use."""
_MOST_MEMBERS: Final = 1000
_LEAST_IN_A_MEMBER: Final = 100
"""Decoded bytes for which a body may have one more: each of them takes a decompressor of its own."""
_OVERHEAD: Final = 1024 * 1024
"""Bytes that a body may be longer coded than decoded."""
_WINDOW_LOG: Final = 23
"""8 MiB, what a sender may count on (RFC 9659)."""
_ZSTD: Final[Mapping[int, int]] = {
    zstd.CompressionParameter.compression_level: 3,
    zstd.CompressionParameter.checksum_flag: 1,
}
_GZIP_LEVEL: Final = 5
_GZIP_BITS: Final = 31


class UnknownCodingError(Exception):
    """A body is in a coding that is not read here; the message says which are."""


class InflatedBodyError(Exception):
    """A body that is made to take far more room decoded than sent."""


class BrokenCodingError(MalformedBodyError):
    """A body that is not in the coding that it is said to be in, or ended early."""


def coding_of(values: list[bytes]) -> Coding | None:
    """The coding of a body, by its `Content-Encoding` headers; None where there is none.

    Raises:
        UnknownCodingError: it is not read here, or there are several, one upon the other.
    """
    given = [one.strip().lower() for value in values for one in value.decode("latin-1").split(",")]
    names = [name.removeprefix("x-") for name in given if name not in ("", "identity")]
    if not names:
        return None
    for coding in CODINGS:
        if names == [coding]:
            return coding
    told = ", ".join(given)[:80].encode("ascii", "backslashreplace").decode()
    raise UnknownCodingError(f"expected a body with Content-Encoding {' or '.join(CODINGS)}, or without; got {told}")


class Wanted(NamedTuple):
    """What a client takes an answer in."""

    coding: Coding | None
    """The coding that it wants most; None for none."""
    takes_plain: bool
    """Whether the answer may be in none."""


@lru_cache(256)
def wanted(header: bytes) -> Wanted:
    """What a client takes, by its `Accept-Encoding` (RFC 9110, 12.5.3)."""
    weights: dict[str, float] = {}
    for part in header.decode("latin-1").lower().split(",")[:50]:
        name, _, parameter = part.partition(";")
        quality = parameter.replace(" ", "").removeprefix("q=") or "1"
        try:
            weights[name.strip().removeprefix("x-")] = min(max(float(quality), 0.0), 1.0)
        except ValueError:
            continue
    best: Coding | None = None
    most = weights.get("identity", 0.0)
    for coding in CODINGS:
        weight = weights.get(coding, weights.get("*", 0.0))
        # Where both are wanted alike, shorter is better; NaN is wanted by nobody.
        if weight > most or (weight == most and weight > 0 and best is None):
            best, most = coding, weight
    # None is taken by who does not say otherwise.
    return Wanted(best, weights.get("identity", weights.get("*", 1.0)) != 0)


class _Stream(Protocol):
    """What decodes one member of gzip or frame of zstd."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def needs_input(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Member:
    """zlib's decompressor, with the manners of the newer ones."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP_BITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        found = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self.needs_input = not self._inner.unconsumed_tail and len(found) < max_length
        return found


class Decoder:
    """Decodes one body as it arrives, in bounded memory."""

    def __init__(self, coding: Coding) -> None:
        """Decode a coding."""
        self._coding = coding
        self._stream: _Stream | None = None
        self._taken = self._made = self._members = 0

    def feed(self, data: bytes, *, is_last: bool) -> Iterator[bytes]:
        """What the next bytes stand for, piece by piece; an empty piece where some of them stood for nothing.

        Raises:
            BrokenCodingError: they are none of this coding; or they are the last and the end is missing.
            InflatedBodyError: they stand for too much.
        """
        self._taken += len(data)
        try:
            yield from self._pieces(data)
        except (zlib.error, zstd.ZstdError) as error:
            wide = "memory" in str(error)
            why = f"its window is over {2**_WINDOW_LOG:,} bytes" if wide else f"it is no {self._coding}"
            raise BrokenCodingError(f"the body cannot be decoded: {why}") from None
        if is_last and self._stream is not None and not self._stream.eof:
            raise BrokenCodingError(f"the body ended early: its {self._coding} has no end")

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for start in range(0, len(data), _TAKEN_AT_ONCE):
            before = self._made
            yield from self._some(data[start : start + _TAKEN_AT_ONCE])
            if self._made == before:
                # Whoever reads can let others have their turn.
                yield b""

    def _some(self, data: bytes) -> Iterator[bytes]:
        stream = self._stream
        while data or (stream is not None and not stream.eof and not stream.needs_input):
            if stream is None or stream.eof:
                # Members and frames may follow one another.
                self._count_member()
                stream = self._stream = _new_stream(self._coding)
            piece = stream.decompress(data, _PIECE)
            data = stream.unused_data if stream.eof else b""
            self._weigh(len(piece))
            if piece:
                yield piece

    def _count_member(self) -> None:
        self._members += 1
        if self._members > _MOST_MEMBERS + self._made // _LEAST_IN_A_MEMBER:
            what = "members" if self._coding == "gzip" else "frames"
            raise BrokenCodingError(
                f"the body has over {_MOST_MEMBERS:,} {what} of {self._coding} with next to nothing in them"
            )

    def _weigh(self, more: int) -> None:
        self._made += more
        if self._made > _UNWEIGHED and self._made > _MOST_TIMES * self._taken:
            raise InflatedBodyError(
                f"expected a body that is at most {_MOST_TIMES} times as long as its {self._coding}"
            )
        if self._taken > _OVERHEAD + 2 * self._made + _MOST_TIMES * _PIECE:
            raise BrokenCodingError(f"the body has next to nothing in its {self._coding}")


def _new_stream(coding: Coding) -> _Stream:
    if coding == "gzip":
        return _Member()
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG})


class Encoder:
    """Encodes one body; what was given can be read at once."""

    def __init__(self, coding: Coding) -> None:
        """Encode in a coding."""
        self._zstd = zstd.ZstdCompressor(options=_ZSTD) if coding == "zstd" else None
        self._gzip = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_BITS) if coding == "gzip" else None

    def feed(self, data: bytes, *, is_last: bool) -> bytes:
        """Encode what comes next, up to its end."""
        if self._zstd is not None:
            return self._zstd.compress(data, self._zstd.FLUSH_FRAME if is_last else self._zstd.FLUSH_BLOCK)
        assert self._gzip is not None
        found = self._gzip.compress(data)
        return found + self._gzip.flush(zlib.Z_FINISH if is_last else zlib.Z_SYNC_FLUSH)
