"""The OpenAPI document: committed, valid, and kept by the application."""

import json
from pathlib import Path

import httpx
from fastapi import FastAPI
from openapi_spec_validator import validate

from app.cli.openapi import FILE, PROBLEMS_FILE, document, problems
from app.core.events import CATALOGUE

ROOT = Path(__file__).parents[2]


def test_the_committed_document_is_that_of_the_code():
    assert (ROOT / FILE).read_text() == document(), "`make openapi` writes it anew"


def test_the_committed_page_of_problems_is_that_of_the_code():
    assert (ROOT / PROBLEMS_FILE).read_text() == problems(), "`make openapi` writes it anew"


def test_the_document_is_valid_openapi():
    found = json.loads(document())
    assert found["openapi"].startswith("3.1")
    validate(found)


def test_the_document_shows_every_event_type():
    schemas = json.loads(document())["components"]["schemas"]
    names = {kind.data.__name__ for kind in CATALOGUE.values()}
    assert names <= set(schemas)


async def test_the_document_is_served(application: FastAPI):
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
        assert (await http.get("/openapi.json")).json() == json.loads(document())
