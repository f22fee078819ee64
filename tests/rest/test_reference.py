"""The page at /docs and the document that it shows: whole, ours alone, and kept by whoever has it already."""

import json
import re
from pathlib import Path

import httpx
import pytest

import app
from app.cli.openapi import document
from tests.node import REFERENCE, installed

PAGE = Path(app.__file__).parent / "rest" / "reference"
SERVED = {".css", ".html", ".js", ".txt"}


def directives(answer: httpx.Response) -> dict[str, str]:
    parts = (part.partition(" ") for part in answer.headers["content-security-policy"].split("; "))
    return {name: sources for name, _, sources in parts}


def test_the_page_is_what_its_source_makes(tmp_path: Path):
    done = installed(REFERENCE).run("build.mjs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        file.name: file.read_bytes() for file in PAGE.iterdir() if file.suffix in SERVED
    }, "`make reference` puts it together anew"


async def test_the_page_runs_and_loads_what_is_ours_alone(anybody: httpx.AsyncClient):
    page = await anybody.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = directives(page)
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert not re.search(r"unsafe|https?:|\*", page.headers["content-security-policy"])
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|<style", page.text)
    assets = [one for one in re.findall('(?:src|href)="([^"]*)"', page.text) if not one.startswith("data:")]
    assert len(assets) == 4
    for address in assets:
        assert (await anybody.get(address)).status_code == 200


async def test_the_nonce_of_an_answer_is_its_own(anybody: httpx.AsyncClient):
    seen = set()
    for _ in range(3):
        page = await anybody.get("/docs")
        (nonce,) = set(re.findall('nonce="([^"]*)"', page.text))
        assert directives(page)["style-src"] == f"'self' 'nonce-{nonce}'"
        assert page.headers["cache-control"] == "no-store"
        seen.add(nonce)
    assert len(seen) == 3


async def test_the_bare_address_leads_to_the_page(anybody: httpx.AsyncClient):
    answer = await anybody.get("/", headers={"Host": "elsewhere.example"})
    assert (answer.status_code, answer.headers["location"]) == (302, "/docs")


async def test_nothing_else_is_served_beside_the_page(anybody: httpx.AsyncClient):
    for name in ("index.html", "__init__.py", "..%2F__init__.py", "none.js"):
        answer = await anybody.get(f"/docs/assets/{name}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


def test_everyone_whose_work_is_in_the_page_is_named():
    licences = (PAGE / "LICENSES.txt").read_text()
    for package in ("redoc", "react", "mobx", "styled-components", "dompurify", "marked"):
        assert re.search(rf"^{package}( \(|$)", licences, flags=re.MULTILINE)


async def test_the_document_is_json_that_anybody_may_keep(anybody: httpx.AsyncClient):
    answer = await anybody.get("/openapi.json")
    assert answer.json() == json.loads(document())
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "public, max-age=300"


@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/openapi.json", "application/json"),
        ("/docs/assets/redoc.js", "text/javascript; charset=utf-8"),
        ("/docs/assets/page.css", "text/css; charset=utf-8"),
        ("/docs/assets/LICENSES.txt", "text/plain; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("coding", ["identity", "gzip"])
async def test_who_has_it_is_told_so(anybody: httpx.AsyncClient, path: str, media: str, coding: str):
    anybody.headers["Accept-Encoding"] = coding
    first = await anybody.get(path)
    tag = first.headers["etag"]
    assert first.headers["content-type"] == media
    assert re.fullmatch(r'"[^"]+"', tag)
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = await anybody.get(path, headers={"If-None-Match": known})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == first.headers["cache-control"]
        assert known == "*" or again.headers["etag"] == tag
    changed = await anybody.get(path, headers={"If-None-Match": '"other"'})
    assert (changed.status_code, changed.content) == (200, first.content)


@pytest.mark.parametrize(("path", "accept"), [("/docs", "text/html"), ("/docs/assets/page.css", "text/css")])
async def test_what_a_browser_accepts_is_what_it_gets(anybody: httpx.AsyncClient, path: str, accept: str):
    answer = await anybody.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.headers["content-type"]) == (200, f"{accept}; charset=utf-8")
