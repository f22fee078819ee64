"""A speaker says messages in one language."""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from string import Formatter
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from babel import Locale, negotiate_locale
from babel.dates import format_date, format_skeleton
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent

from app.core.message import Message
from app.core.money import Money
from app.language.nouns import NOUNS

__all__ = ["LANGUAGES", "Language", "Speaker", "preferred", "speaker"]

Language = Literal["en", "ru"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
"""English is the language of the templates themselves."""

_DATES: Final[Mapping[Language, str]] = MappingProxyType({"en": "long", "ru": "d MMMM y"})
"""Babel's long Russian date ends with the abbreviation for a year, whose full stop would meet that of the sentence."""
_CATALOGUES: Final = Path(__file__).parent / "locale"


class Speaker(Formatter):
    """Says messages in one language."""

    def __init__(self, language: Language, translations: NullTranslations) -> None:
        """Speak a language with its translations."""
        self.language = language
        self._locale = Locale(language)
        self._translations = translations

    def say(self, message: Message) -> str:
        """The message in words.

        Raises:
            KeyError: a placeholder of the template has no value.
        """
        return self.vformat(self.translated(message.template), (), message.values)

    def translated(self, template: str) -> str:
        """The template, or a text without placeholders."""
        return self._translations.gettext(template)

    def paragraphs(self, messages: Sequence[Message]) -> str:
        """Several messages, with an empty line between each two."""
        return "\n\n".join(map(self.say, messages))

    def format_field(self, value: Any, format_spec: str) -> str:
        """Say one value; see `app.core.message.N_` for the forms."""
        match value:
            case str():
                return value
            case Message():
                return self.say(value)
            case tuple():
                return "\n".join(map(self.say, value))
            case Money(amount=amount, currency=currency):
                return format_currency(amount, currency, locale=self._locale)
            case date():
                return self._date(value, format_spec)
        return self._number(value, format_spec)

    def _date(self, value: date, form: str) -> str:
        if form == "short":
            return format_skeleton("MMMMd", value, locale=self._locale)
        return format_date(value, _DATES[self.language], locale=self._locale)

    def _number(self, value: float, form: str) -> str:
        if form == "percent":
            return format_percent(value, locale=self._locale)
        if form == "hour":
            return self._hours(value)
        if form == "signed":
            return format_decimal(round(value), "+#,##0;-#,##0", locale=self._locale).replace("-", "\N{MINUS SIGN}")
        whole = round(value)
        text = format_decimal(whole, locale=self._locale)
        return text if form == "count" else self._counted(form, whole, text)

    def _hours(self, value: float) -> str:
        """Hours are worked in parts too; what is more than none is never said to be none."""
        tenths = round(float(value), 1) or (0.1 if value > 0 else 0.0)
        text = format_decimal(tenths, "#,##0.#", locale=self._locale)
        # CLDR's plural rules give fractions a form of their own, which in our languages is that of two.
        return self._counted("hour", int(tenths) if tenths.is_integer() else 2, text)

    def _counted(self, noun: str, count: int, text: str) -> str:
        one, many = NOUNS[noun]
        return self._translations.ngettext(one, many, count).format(n=text)


@cache
def speaker(language: Language) -> Speaker:
    """The speaker of a language."""
    return Speaker(language, NullTranslations() if language == "en" else _translations(language))


def preferred(accepted: str | None) -> Language:
    """The language to answer in, by an `Accept-Language` header (RFC 9110, 12.5.4); English where none fits."""
    weighted = []
    for part in (accepted or "").split(",")[:20]:
        tag, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if 0 < quality <= 1:
            weighted.append((-quality, tag.strip().lower()))
    # Sorting is stable: of equal weights the first one named counts.
    wanted = [tag for _, tag in sorted(weighted, key=lambda one: one[0])]
    found = negotiate_locale([tag.partition("-")[0] for tag in wanted], LANGUAGES)
    return next((language for language in LANGUAGES if language == found), "en")


def _translations(language: Language) -> GNUTranslations:
    """Compile a catalogue in memory, so that the one that people edit is the only one there is."""
    with (_CATALOGUES / language / "LC_MESSAGES" / "partwise.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
