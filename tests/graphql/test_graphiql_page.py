"""The page at /graphql is whole, needs nobody else, and is what its source and lock make."""

import re
from pathlib import Path

import app
from tests.node import GRAPHIQL, installed

PAGE = Path(app.__file__).parent / "graphql" / "graphiql"
SERVED = {".css", ".html", ".js", ".txt"}


def test_the_page_is_what_its_source_makes(tmp_path: Path):
    done = installed(GRAPHIQL).run("build.mjs", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        file.name: file.read_bytes() for file in PAGE.iterdir() if file.suffix in SERVED
    }, "`make graphiql` puts it together anew"


def test_the_page_names_only_what_we_serve_and_runs_no_inline_script():
    html = (PAGE / "index.html").read_text()
    named = [address for address in re.findall(r'(?:src|href)="([^"]*)"', html) if not address.startswith("data:")]
    assert len(named) == 2
    for address in named:
        assert (PAGE / address.removeprefix("/graphql/assets/")).is_file()
    assert not re.search(r"<script(?![^>]*\ssrc=)|\son\w+=|<style", html)
    assert not re.search(r"@import|url\((?!['\"]?data:)", (PAGE / "graphiql.css").read_text())


def test_everyone_whose_work_is_in_the_page_is_named():
    licences = (PAGE / "LICENSES.txt").read_text()
    for package in ("graphiql", "graphql", "react", "react-dom", "codemirror"):
        assert re.search(rf"^{package} \d", licences, flags=re.MULTILINE)
