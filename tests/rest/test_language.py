"""The language of an answer over HTTP."""

import re

import httpx
import pytest

from tests.cloud_events import BATCH, as_json, cloud_event
from tests.rest.test_bad_input import check

INVOICE = cloud_event("i1", data={"invoice": "INV-1", "amount": 100, "currency": "EUR", "due_date": "2026-01-31"})
PATH = "/v1/clients/acme/explanation"
CYRILLIC = re.compile("[а-яё]")


@pytest.fixture
async def acme(api: httpx.AsyncClient) -> httpx.AsyncClient:
    await api.post("/v1/events", content=as_json([INVOICE]), headers={"Content-Type": BATCH})
    return api


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ("", None, "en"),
        ("", "ru", "ru"),
        ("?language=ru", None, "ru"),
        ("?language=en", "ru", "en"),
        ("?language=RU", None, "ru"),
        ("?language=ru-RU", None, "ru"),
        ("?language=En-us", "ru", "en"),
        ("", "fr;q=0.9, ru-RU;q=0.8", "ru"),
    ],
)
async def test_sentences_are_in_the_language_asked_for(
    acme: httpx.AsyncClient, query: str, header: str | None, language: str
):
    headers = {} if header is None else {"Accept-Language": header}
    answer = await acme.get(PATH + query, headers=headers)
    assert answer.headers["Content-Language"] == language
    assert "Accept-Language" in answer.headers["Vary"].split(", ")
    found = answer.json()
    texts = [sign["sentence"] for sign in found["signs"]] + [sign["title"] for sign in found["signs"]]
    texts += found["strategy"]["steps"] + found["strategy"]["in_writing"] + [found["strategy"]["tone"]]
    texts += [draft["body"] for draft in found["strategy"]["drafts"]]
    texts += [term["sentence"] for term in found["cost_of_staying"]["terms"]]
    assert {bool(CYRILLIC.search(text)) for text in texts} == {language == "ru"}


async def test_a_simulation_speaks_too(acme: httpx.AsyncClient):
    paid = {"events": [{"type": "invoice.paid", "data": {"invoice": "INV-1"}}]}
    answer = await acme.post("/v1/clients/acme/simulate?language=ru", json=paid)
    assert all(CYRILLIC.search(sign["sentence"]) for sign in answer.json()["after"]["signs"])


@pytest.mark.parametrize("language", ["de", "", "ru-", "rus", "en US", "de-RU", "%00"])
async def test_a_language_that_there_is_not(acme: httpx.AsyncClient, language: str):
    problem = check(await acme.get(f"{PATH}?language={language}"), 422)
    assert [error["pointer"] for error in problem["errors"]] == ["?language"]


async def test_letters_use_the_name_of_the_client(acme: httpx.AsyncClient):
    await acme.put("/v1/clients/acme", json={"name": "Acme & Söhne {GmbH}"})
    (draft,) = (await acme.get(PATH)).json()["strategy"]["drafts"]
    assert draft["body"].startswith("Dear Acme & Söhne {GmbH},")


async def test_money_is_an_exact_decimal(acme: httpx.AsyncClient):
    cost = (await acme.get(PATH)).json()["cost_of_staying"]
    assert cost["left_out"] == ["EUR"]
    assert re.fullmatch(r"\d+\.\d\d", cost["per_month"])
