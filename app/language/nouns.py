"""Nouns that are counted: each has its plural forms in the catalogue of a language."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = ["NOUNS"]


def P_(one: str, many: str) -> tuple[str, str]:  # noqa: N802 - like gettext's other marks
    """Mark a pair of forms for the catalogues."""
    return one, many


NOUNS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "client": P_("{n} client", "{n} clients"),
        "contact": P_("{n} contact", "{n} contacts"),
        "day": P_("{n} day", "{n} days"),
        "hour": P_("{n} hour", "{n} hours"),
        "invoice": P_("{n} invoice", "{n} invoices"),
    }
)
