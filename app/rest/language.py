"""The language of an answer: `?language=`, or else `Accept-Language`."""

import re
from typing import Annotated

from fastapi import Depends, Header, Query, Response
from pydantic import BeforeValidator

from app.language import Language, Speaker, preferred, speaker

__all__ = ["Spoken"]


def _without_region(value: object) -> object:
    """The language of a tag (RFC 5646), which has no case."""
    tag = re.fullmatch("([A-Za-z]{2,3})([-_][A-Za-z0-9]{1,8})*", value) if isinstance(value, str) else None
    return value if tag is None else tag[1].lower()


def _speaker(
    response: Response,
    language: Annotated[
        Language | None,
        BeforeValidator(_without_region),
        Query(description="Of sentences, such as `ru` or `ru-RU`; else by Accept-Language.", examples=["ru"]),
    ] = None,
    accept_language: Annotated[
        str | None,
        Header(
            max_length=1000,
            alias="Accept-Language",
            description="Of sentences, where `language` is not given: the best of those that there are.",
            examples=["ru, en;q=0.5"],
        ),
    ] = None,
) -> Speaker:
    found = speaker(language or preferred(accept_language))
    response.headers["Content-Language"] = found.language
    response.headers["Vary"] = "Accept-Language"
    return found


Spoken = Annotated[Speaker, Depends(_speaker)]
