"""Whether a client takes an answer in the form that a route has for it: refused before anything is done."""

from collections.abc import Iterator
from typing import Final

from fastapi import Request
from fastapi.datastructures import DefaultPlaceholder
from fastapi.routing import APIRoute

from app.rest.problem_types import NOT_ACCEPTABLE
from app.rest.problems import HttpError
from app.wire.media import best_media

__all__ = ["refuse_unacceptable"]

_LONGEST: Final = 1000
_EMPTY: Final = 204


def refuse_unacceptable(request: Request) -> None:
    """Refuse a request whose `Accept` leaves out all that its route answers in.

    Raises:
        HttpError: 406, when it does.
    """
    given = request.headers.getlist("accept")
    if not given:
        return
    route = request.scope["route"]
    media: tuple[str, ...] | None = getattr(route, "answered_in", None)
    if media is None:
        media = route.answered_in = tuple(dict.fromkeys(_media_of(route)))
    if media and best_media(",".join(given)[:_LONGEST], media) is None:
        raise HttpError(NOT_ACCEPTABLE, f"expected to accept {' or '.join(media)}")


def _media_of(route: APIRoute) -> Iterator[str]:
    """What a route answers in when it succeeds; the first is what most clients get."""
    kind = route.response_class
    usual = (kind.value if isinstance(kind, DefaultPlaceholder) else kind).media_type
    if usual is not None and route.status_code != _EMPTY:
        yield usual
    for status, answer in route.responses.items():
        if str(status).startswith("2"):
            yield from answer.get("content", ())
            if "model" in answer:
                yield usual or "application/json"
