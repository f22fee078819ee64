"""Lines are the same however the body is cut into chunks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.wire.ndjson import Lines, LineTooLongError


def read(chunks: list[bytes], limit: int = 1000) -> list[bytes]:
    lines = Lines(limit)
    return [line for chunk in chunks for line in lines.feed(chunk)] + list(lines.end())


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line and b"\r" not in line)), st.data())
def test_chunks_do_not_matter(lines: list[bytes], data: st.DataObject):
    body = b"".join(line + data.draw(st.sampled_from([b"\n", b"\r\n"])) for line in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=8)))
    chunks = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    assert read(chunks) == lines


def test_the_last_line_needs_no_end():
    assert read([b"a\nb"]) == [b"a", b"b"]


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 6, b"x" * 6], [b"a\n" + b"x" * 11 + b"\n"]])
def test_a_line_has_a_limit(chunks: list[bytes]):
    with pytest.raises(LineTooLongError):
        read(chunks, limit=10)
