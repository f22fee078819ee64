"""Says messages in a language: translations from gettext catalogues, numbers, dates and money as is usual there."""

from app.language.speaker import LANGUAGES, Language, Speaker, preferred, speaker

__all__ = ["LANGUAGES", "Language", "Speaker", "preferred", "speaker"]
