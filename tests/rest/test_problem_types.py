"""Every problem has a type that is documented, and the documentation is there to be read."""

import ast
import re
from pathlib import Path

import httpx
import pytest

import app
from app.rest import problem_types
from app.rest.openapi.operations import operations_of
from app.rest.problem_types import PROBLEM_TYPES, ProblemType, type_of_status
from tests.rest.documented import PROBLEM, document, resolved

ALL = list(PROBLEM_TYPES.values())


def test_every_type_that_is_defined_is_in_the_table():
    defined = {value for value in vars(problem_types).values() if isinstance(value, ProblemType)}
    assert defined == set(ALL)


def names_in_the_code() -> tuple[set[str], list[str]]:
    """The names of types that the rest of the code uses, and where it makes a type or writes the URI of one itself."""
    used, beside = set(), []
    for file in Path(app.__file__).parent.rglob("*.py"):
        if file == Path(problem_types.__file__):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            match node:
                case ast.Call(func=ast.Name("ProblemType")) | ast.Call(func=ast.Attribute(attr="ProblemType")):
                    beside.append(f"{file}:{node.lineno}")
                case ast.Constant(value=str(text)) if re.fullmatch(r"/problems/[a-z-]+", text):
                    beside.append(f"{file}:{node.lineno}")
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    used.add(name)
    return used, beside


def test_every_type_is_raised_and_nothing_else_is():
    names = {name for name, value in vars(problem_types).items() if isinstance(value, ProblemType)}
    used, beside = names_in_the_code()
    assert names - used == set()
    assert beside == []


# Answered before there is an operation: a connection, a request line, headers or a body that does not come.
OF_THE_SERVER = {
    "method-not-allowed",
    "too-many-connections",
    "too-slow",
}


def test_every_type_is_in_the_document_and_no_other():
    told = set()
    for operation in operations_of(document()):
        for answer in map(resolved, operation.spec["responses"].values()):
            told |= set(answer.get("content", {}).get(PROBLEM, {}).get("examples", ()))
    assert told | OF_THE_SERVER == set(PROBLEM_TYPES)
    assert not told & OF_THE_SERVER
    (slug,) = document()["paths"]["/problems/{slug}"]["get"]["parameters"][:1]
    assert set(slug["schema"]["enum"]) == set(PROBLEM_TYPES)


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
    assert "<code>errors</code> names each one" in one.text


async def test_an_unknown_type_is_a_problem(anybody: httpx.AsyncClient):
    answer = await anybody.get("/problems/none")
    assert answer.status_code == 404
    assert answer.json()["type"] == "/problems/not-found"
