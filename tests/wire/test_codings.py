"""Content codings: both ways, in pieces of any size, in bounded memory."""

import gzip
import os
import sys
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire import codings
from app.wire.codings import (
    CODINGS,
    BrokenCodingError,
    Coding,
    Decoder,
    Encoder,
    InflatedBodyError,
    UnknownCodingError,
    coding_of,
    wanted,
)

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MEBIBYTE = 2**20


def encoded(coding: Coding, data: bytes) -> bytes:
    return Encoder(coding).feed(data, is_last=True)


def decoded(coding: Coding, data: bytes, size: int = 1000) -> bytes:
    decoder = Decoder(coding)
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    found = [piece for one in pieces for piece in decoder.feed(one, is_last=False)]
    return b"".join([*found, *decoder.feed(b"", is_last=True)])


@given(coding=st.sampled_from(CODINGS), parts=st.lists(st.binary(max_size=300), max_size=20), size=st.integers(1, 99))
def test_what_was_encoded_is_decoded(coding: Coding, parts: list[bytes], size: int):
    encoder, decoder, whole, seen, read = Encoder(coding), Decoder(coding), b"", b"", b""
    for part in parts:
        coded = encoder.feed(part, is_last=False)
        whole += coded
        # Each part can be read as soon as it was written.
        seen += b"".join(decoder.feed(coded, is_last=False))
        assert seen == (read := read + part)
    whole += encoder.feed(b"", is_last=True)
    assert seen == b"".join(parts)
    assert decoded(coding, whole, size) == b"".join(parts)


@pytest.mark.parametrize("coding", CODINGS)
def test_several_members_follow_one_another(coding: Coding):
    many = [os.urandom(number * 50) for number in range(20)]
    assert decoded(coding, b"".join(encoded(coding, one) for one in many), 7) == b"".join(many)
    assert decoded(coding, b"") == b""


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[:20],
        lambda data: data[:3],
        lambda data: data + b"nonsense",
        lambda data: b"nonsense" + data,
        lambda data: data[:60] + b"\0" * 60 + data[120:],
        lambda data: b'{"specversion": "1.0"}',
    ],
)
def test_what_is_broken_is_said_to_be(coding: Coding, spoil):
    data = encoded(coding, b"".join(b"%d " % number for number in range(3000)))
    for size in (1, 50, 100_000):
        with pytest.raises(BrokenCodingError):
            decoded(coding, spoil(data), size)


def test_deflate_is_no_gzip():
    with pytest.raises(BrokenCodingError):
        decoded("gzip", zlib.compress(b"data"))
    assert decoded("gzip", gzip.compress(b"data")) == b"data"


@pytest.mark.parametrize(("window_log", "is_read"), [(20, True), (23, True), (24, False), (27, False)])
def test_zstd_has_a_window_that_senders_may_count_on(window_log: int, is_read: bool):
    parameter = zstd.CompressionParameter
    compressor = zstd.ZstdCompressor(options={parameter.window_log: window_log})
    data = compressor.compress(b"data") + compressor.flush()
    if is_read:
        assert decoded("zstd", data) == b"data"
    else:
        with pytest.raises(BrokenCodingError, match="its window is over 8,388,608 bytes"):
            decoded("zstd", data)


def bomb(coding: Coding) -> bytes:
    encoder = Encoder(coding)
    return b"".join(encoder.feed(b"\n" * MEBIBYTE, is_last=number == 255) for number in range(256))


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_takes_no_room(coding: Coding):
    data = bomb(coding)
    pieces: list[int] = []
    read = Decoder(coding).feed(data, is_last=True)
    tracemalloc.start()
    try:
        with pytest.raises(InflatedBodyError):
            pieces.extend(len(piece) for piece in read)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert max(pieces) <= 65536
    assert sum(pieces) <= max(9 * MEBIBYTE, 101 * len(data))
    assert most < 10 * MEBIBYTE


@pytest.mark.parametrize("coding", CODINGS)
def test_what_stands_for_nothing_has_an_end(coding: Coding):
    decoder, nothing = Decoder(coding), encoded(coding, b"") * 5000
    fed = (piece for _ in range(200) for piece in decoder.feed(nothing, is_last=False))
    with pytest.raises(BrokenCodingError, match="next to nothing"):
        list(fed)


NOTHINGS = {
    "frames": ("zstd", bytes.fromhex("28b52ffd2000010000")),
    "skipped": ("zstd", bytes.fromhex("502a4d1800000000")),
    "members": ("gzip", gzip.compress(b"")),
}
each_nothing = pytest.mark.parametrize(("coding", "nothing"), NOTHINGS.values(), ids=list(NOTHINGS))


@each_nothing
def test_few_members_may_have_nothing_in_them(coding: Coding, nothing: bytes, monkeypatch: pytest.MonkeyPatch):
    made: list[object] = []

    def counted(wanted: Coding) -> object:
        made.append(new(wanted))
        return made[-1]

    new = codings._new_stream
    monkeypatch.setattr(codings, "_new_stream", counted)
    assert decoded(coding, nothing * 1000, 999_999) == b""
    made.clear()
    with pytest.raises(BrokenCodingError, match=r"over 1,000 .* with next to nothing in them"):
        list(Decoder(coding).feed(nothing * 30_000, is_last=True))
    assert len(made) == 1000
    # Each copies all that it has not used.
    assert max(len(one.unused_data) for one in made) <= 16 * 1024


@pytest.mark.parametrize("coding", CODINGS)
def test_many_members_may_have_a_line_each(coding: Coding):
    line = b"x" * 100
    assert decoded(coding, encoded(coding, line) * 5000, 99_999) == line * 5000


def test_who_reads_nothing_still_has_control_now_and_then():
    stored = gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * 200_000
    pieces = list(Decoder("gzip").feed(stored, is_last=False))
    assert len(pieces) >= len(stored) // (16 * 1024)
    assert not any(pieces)
    with pytest.raises(BrokenCodingError, match="next to nothing"):
        list(Decoder("gzip").feed(stored * 10, is_last=True))


@pytest.mark.parametrize(
    ("values", "coding"),
    [
        ([], None),
        ([b""], None),
        ([b"identity"], None),
        ([b"gzip"], "gzip"),
        ([b"X-GZIP"], "gzip"),
        ([b" Zstd , identity"], "zstd"),
        ([b"identity", b"gzip"], "gzip"),
    ],
)
def test_the_coding_of_a_body(values: list[bytes], coding: str | None):
    assert coding_of(values) == coding


@pytest.mark.parametrize(
    "values", [[b"br"], [b"deflate"], [b"gzip, gzip"], [b"gzip", b"zstd"], [b"\xff"], [b"x" * 9000], [b"*"]]
)
def test_a_coding_that_is_not_read(values: list[bytes]):
    with pytest.raises(UnknownCodingError, match="Content-Encoding zstd or gzip") as caught:
        coding_of(values)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("header", "coding", "takes_plain"),
    [
        (b"", None, True),
        (b"gzip", "gzip", True),
        (b"gzip, deflate, br, zstd", "zstd", True),
        (b"gzip;q=1.0, zstd;q=0.5", "gzip", True),
        (b"zstd; q=0.1, GZIP ; q=0.2", "gzip", True),
        (b"*", "zstd", True),
        (b"zstd;q=0, *", "gzip", True),
        (b"zstd;q=0, *;q=0.1, identity", None, True),
        (b"*;q=0", None, False),
        (b"gzip;q=0", None, True),
        (b"identity, gzip;q=0.5", None, True),
        (b"identity;q=0.5, gzip;q=0.5", "gzip", True),
        (b"identity;q=0, gzip;q=0.5", "gzip", False),
        (b"identity;q=0, *;q=0.1", "zstd", False),
        (b"gzip, *;q=0", "gzip", False),
        (b"identity;q=0.001, *;q=0", None, True),
        (b"br, identity;q=0", None, False),
        (b"br, deflate", None, True),
        (b"gzip;q=nonsense", None, True),
        (b"gzip;q=nan", None, True),
        (b"\xff, x-gzip", "gzip", True),
    ],
)
def test_the_coding_of_an_answer(header: bytes, coding: str | None, takes_plain: bool):
    assert wanted(header) == (coding, takes_plain)
