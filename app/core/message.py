"""Messages: what is to be said to people, as a template and its values; `app/language` says it in a language."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from app.core.money import Money

__all__ = ["N_", "Message"]


def N_(template: str) -> str:  # noqa: N802 - gettext's customary name for "translate this later"
    """Mark a template for the catalogues.

    Placeholders are `{name}` or `{name:form}`: a form is `count` (a whole number), `signed` (one with its sign),
    `percent`, or a noun of `app/language/nouns.py` that is counted (hours with one decimal where they are not whole).
    Money needs none, nor do dates, which are without their year as `short`.
    """
    return template


@dataclass(frozen=True, slots=True)
class Message:
    """A template in English, which is also its key in the catalogues, and values by the names of its placeholders."""

    template: str
    values: "Mapping[str, str | float | date | Money | Message | tuple[Message, ...]]" = field(
        default_factory=lambda: MappingProxyType({})
    )
