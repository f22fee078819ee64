"""Speakers: numbers, nouns, dates and money as is usual in each language; which language is wanted."""

import re
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.events import Event
from app.core.explanation import explain
from app.core.message import Message
from app.core.money import CURRENCIES, Money
from app.core.policy import DEFAULT_POLICY
from app.core.reasons import sentence_of
from app.core.signs import SIGNS
from app.language import LANGUAGES, Language, preferred, speaker
from app.language.nouns import NOUNS
from app.rest.explanation import ExplanationAnswer
from app.use_cases.viewpoint import Viewpoint
from tests.core.strategies import NOW, histories
from tests.core.telling import alone
from tests.core.test_axioms import worst

_NONE_OF_IT = re.compile(r"(?<![\d.,\xa0])0 (hours|days|часов|дней)|-\d+ (days|дн)")


def say(language: Language, template: str, value: object) -> str:
    return speaker(language).say(Message(template, {"x": value}))  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("template", "value", "english", "russian"),
    [
        ("{x:invoice}", 1, "1 invoice", "1 счёт"),
        ("{x:invoice}", 0, "0 invoices", "0 счетов"),
        ("{x:invoice}", 3, "3 invoices", "3 счёта"),
        ("{x:hour}", 11, "11 hours", "11 часов"),
        ("{x:hour}", 21.02, "21 hours", "21 час"),
        ("{x:hour}", 2.5, "2.5 hours", "2,5 часа"),
        ("{x:hour}", 21.44, "21.4 hours", "21,4 часа"),
        ("{x:hour}", 1234.5, "1,234.5 hours", "1\xa0234,5 часа"),
        ("{x:hour}", 0.01, "0.1 hours", "0,1 часа"),
        ("{x:hour}", 0.97, "1 hour", "1 час"),
        ("{x:day}", 2.5, "2 days", "2 дня"),
        ("{x:day}", 122, "122 days", "122 дня"),
        ("{x:contact}", 1115, "1,115 contacts", "1\xa0115 обращений"),
        ("{x:count}", 1234.0, "1,234", "1\xa0234"),
        ("{x:percent}", 0.125, "12%", "12\xa0%"),
        ("{x}", date(2026, 3, 8), "March 8, 2026", "8 марта 2026"),
        ("{x}", Money(Decimal("1234.5"), "EUR"), "€1,234.50", "1\xa0234,50\xa0€"),
        ("{x}", Money(Decimal(1200), "JPY"), "¥1,200", "1\xa0200\xa0¥"),
        ("{x}", "{y} {0.__class__}", "{y} {0.__class__}", "{y} {0.__class__}"),
    ],
)
def test_values_are_said_as_is_usual(template: str, value: object, english: str, russian: str):
    assert say("en", template, value) == english
    assert say("ru", template, value) == russian


def test_a_value_that_is_missing_is_no_sentence():
    with pytest.raises(KeyError):
        speaker("en").say(Message("{missing}"))


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("ru", "ru"),
        ("ru-RU", "ru"),
        ("RU", "ru"),
        ("de, ru;q=0.7, en;q=0.3", "ru"),
        ("de, ru;q=0.3, en;q=0.7", "en"),
        ("en, ru", "en"),
        ("ru, en", "ru"),
        ("ru;q=0, en;q=0.1", "en"),
        ("ru;q=0", "en"),
        ("*", "en"),
        ("de", "en"),
        ("ru;q=x", "en"),
        (",;=,q", "en"),
        ("ru;q=nan", "en"),
    ],
)
def test_the_language_is_negotiated(header: str | None, language: Language):
    assert preferred(header) == language


@given(st.text(max_size=200))
def test_any_header_leads_to_a_language(header: str):
    assert preferred(header) in LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
@given(history=histories(20), currency=st.sampled_from(sorted(CURRENCIES)))
def test_every_answer_can_be_said(language: Language, history: list[Event], currency: str):
    """Each placeholder of each text that comes up has a value, in the forms that it asks for."""
    found = explain("{acme}", history, DEFAULT_POLICY, alone(), NOW)
    answer = ExplanationAnswer.explained("{acme}", Viewpoint(NOW), found, speaker(language))
    said = answer.model_dump_json().replace("{acme}", "")
    assert ":count}" not in said
    assert say(language, "{x}", Money(Decimal("0.5"), currency))
    assert not _NONE_OF_IT.search(said)
    sentences = [part.sentence for part in answer.signs] + [term.sentence for term in answer.cost_of_staying.terms]
    assert not any("{" in text for text in sentences)


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)
def test_letters_have_the_figures_of_the_client(sign):
    found = explain("Acme & Sons", worst(sign.name, mended=True), DEFAULT_POLICY, alone(), NOW.replace(year=2026))
    for language in LANGUAGES:
        sentences = [
            speaker(language).say(sentence_of(part.sign, reason))
            for part, reason in zip(found.assessment.signs, found.reasoned.reasons, strict=True)
        ]
        assert len(set(sentences)) == len(SIGNS)
        for draft in found.strategy.drafts:
            assert "Acme & Sons" in speaker(language).paragraphs(draft.paragraphs)


def test_every_noun_has_its_forms():
    for forms in NOUNS.values():
        assert all("{n}" in form for form in forms)
