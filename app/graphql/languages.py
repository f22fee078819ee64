"""The languages of sentences and letters."""

from enum import Enum

import strawberry

from app.graphql.context import Context
from app.language import Language, Speaker, speaker

__all__ = ["LanguageName", "spoken"]


@strawberry.enum(description="The language of sentences and letters.")
class LanguageName(Enum):
    """The languages that there are."""

    EN = "en"
    RU = "ru"


def spoken(context: Context, language: LanguageName | None) -> Speaker:
    """Who speaks a language: by default that of the request."""
    if language is None:
        return context.speaker
    wanted: Language = "ru" if language is LanguageName.RU else "en"
    return speaker(wanted)
