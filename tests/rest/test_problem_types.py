"""Every problem has a type that is documented, and the documentation is there to be read."""

import re

import httpx
import pytest
from fastapi import FastAPI

from app.rest import problem_types
from app.rest.problem_types import PROBLEM_TYPES, ProblemType, type_of_status

ALL = list(PROBLEM_TYPES.values())


@pytest.fixture
async def anybody(application: FastAPI):
    """Somebody without a key."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://test") as http:
        yield http


def test_every_type_that_is_defined_is_in_the_table():
    defined = {value for value in vars(problem_types).values() if isinstance(value, ProblemType)}
    assert defined == set(ALL)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.slug)
def test_a_type_is_fit_to_print(kind: ProblemType):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", kind.slug)
    assert 400 <= kind.status < 600
    for text in (kind.meaning, kind.remedy):
        assert text.endswith(".")


def test_what_the_framework_raises_has_a_type_of_its_status():
    assert [type_of_status(status).status for status in (400, 404, 405)] == [400, 404, 405]
    assert type_of_status(418).status == 500


async def test_the_types_are_documented_one_by_one(anybody: httpx.AsyncClient):
    listed = (await anybody.get("/problems")).json()["items"]
    assert [one["type"] for one in listed] == [kind.uri for kind in ALL]
    for one in listed:
        assert (await anybody.get(one["type"])).json() == one


async def test_a_browser_gets_pages_that_load_nothing(anybody: httpx.AsyncClient):
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = await anybody.get("/problems", headers=accept)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    links = re.findall('href="([^"]*)"', page.text)
    assert {kind.uri for kind in ALL} <= set(links)
    assert all(link.startswith("/problems") for link in links)
    one = await anybody.get("/problems/invalid-request", headers=accept)
    assert "<title>Invalid request – Partwise</title>" in one.text


async def test_an_unknown_type_is_a_problem(anybody: httpx.AsyncClient):
    answer = await anybody.get("/problems/none")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"
