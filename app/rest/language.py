"""The language of an answer: `?language=`, or else `Accept-Language`."""

from typing import Annotated

from fastapi import Depends, Header, Query, Response

from app.language import Language, Speaker, preferred, speaker

__all__ = ["Spoken"]


def _speaker(
    response: Response,
    language: Annotated[Language | None, Query(description="Of sentences; else by Accept-Language.")] = None,
    accept_language: Annotated[str | None, Header(max_length=1000)] = None,
) -> Speaker:
    found = speaker(language or preferred(accept_language))
    response.headers["Content-Language"] = found.language
    response.headers["Vary"] = "Accept-Language"
    return found


Spoken = Annotated[Speaker, Depends(_speaker)]
