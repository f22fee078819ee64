"""Bodies of requests, read within limits."""

from fastapi import Request

from app.rest.problems import HttpError

__all__ = ["read_body", "refuse_encoded"]

MOST_BYTES = 8 * 1024 * 1024


def refuse_encoded(request: Request) -> None:
    """Refuse a body that is compressed.

    Raises:
        HttpError: 415, when it is.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", ""):
        raise HttpError(415, f"expected a body without Content-Encoding, got {encoding[:40]}")


async def read_body(request: Request) -> bytes:
    """Read a whole body.

    Raises:
        HttpError: 413, as soon as it is too long.
    """
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise HttpError(413, f"expected at most {MOST_BYTES} bytes; a stream of events may have any length")
        chunks.append(chunk)
    return b"".join(chunks)
