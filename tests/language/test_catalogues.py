"""The catalogues: every text of the code has a translation in every language, with the same placeholders."""

import re
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

import app
from app.language import LANGUAGES

PACKAGE = Path(app.__file__).parent
LOCALE = PACKAGE / "language" / "locale"
TRANSLATED = [language for language in LANGUAGES if language != "en"]


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def texts(found: Catalog) -> set[Any]:
    return {message.id for message in found if message.id}


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"\{[^}]*\}", text))


@pytest.fixture(scope="module")
def in_code() -> set[Any]:
    marks = {"N_": None, "P_": (1, 2)}
    return {found[2] for found in extract_from_dir(PACKAGE, keywords=marks)}


def test_the_template_is_that_of_the_code(in_code: set[Any]):
    assert texts(catalogue(LOCALE / "partwise.pot")) == in_code, "`make messages` writes it anew"
    assert len(in_code) > 100


def test_every_catalogue_belongs_to_a_language():
    assert {path.parent.parent.name for path in LOCALE.rglob("*.po")} == set(TRANSLATED)


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_is_left_untranslated(language: str, in_code: set[Any]):
    found = catalogue(LOCALE / language / "LC_MESSAGES" / "partwise.po")
    assert texts(found) == in_code, "`make messages` brings it up to date"
    assert not found.obsolete
    for message in found:
        if message.id:
            assert not message.fuzzy, message.id
            for source, text in pairs(message, found.num_plurals):
                assert text, source
                assert placeholders(text) == placeholders(source), source


def pairs(message: Message, plurals: int) -> list[tuple[str, str]]:
    if isinstance(message.id, str):
        assert isinstance(message.string, str)
        return [(message.id, message.string)]
    assert isinstance(message.string, tuple)
    assert len(message.string) == plurals
    return [(message.id[-1], text) for text in message.string]
