"""JSON as it is read from strangers: in one meaning, and of bounded size."""

import asyncio
import json
from typing import Any, Final

import httpx

__all__ = ["UnreadableError", "fetch_object", "read_object"]

_MOST_BYTES: Final = 256 * 1024
_SECONDS: Final = 5.0


class UnreadableError(Exception):
    """It cannot be fetched, or is not what was asked for."""


def read_object(content: bytes | str) -> dict[str, Any]:
    """Read a JSON object in which each name stands once.

    Raises:
        UnreadableError: it is none.
    """
    try:
        found = json.loads(content, object_pairs_hook=_once, parse_constant=_none)
    except (ValueError, RecursionError) as error:
        raise UnreadableError("expected JSON, with each name once") from error
    if not isinstance(found, dict):
        raise UnreadableError("expected a JSON object")
    return found


async def fetch_object(http: httpx.AsyncClient, url: str) -> dict[str, Any]:
    """Fetch a JSON object, within bounds of time and size; no redirection is followed.

    Raises:
        UnreadableError: it cannot be had.
    """
    try:
        async with (
            asyncio.timeout(_SECONDS),
            http.stream("GET", url, headers={"Accept": "application/json"}, follow_redirects=False) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                raise UnreadableError(f"{url} answers {answer.status_code}")
            content = bytearray()
            async for chunk in answer.aiter_bytes():
                content += chunk
                if len(content) > _MOST_BYTES:
                    raise UnreadableError(f"{url} has more than {_MOST_BYTES} bytes")
    except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
        raise UnreadableError(f"{url} cannot be read: {type(error).__name__}") from error
    return read_object(bytes(content))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _none(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")
