"""The page at /docs in a real browser: it shows every operation, and asks nobody but us for anything."""

import json
import os
import shutil

import pytest

from app.cli.openapi import document_of_the_code
from app.rest.openapi.operations import operations_of
from tests.node import API_TOOLS, installed
from tests.service import Service

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.xdist_group("system"),
    # CI has one.
    pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="this machine has no Chromium"),
]


def test_a_browser_shows_the_reference_and_asks_nobody_else(service: Service):
    assert BROWSER is not None
    done = installed(API_TOOLS).run("reference_page.mjs", BROWSER, f"{service.url}/docs", "explanation")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["violations"] == told["errors"] == []
    ours = [one.removeprefix(service.url) for one in told["requests"] if one.startswith(f"{service.url}/")]
    assert {"/docs", "/docs/assets/redoc.js", "/openapi.json"} <= set(ours)
    # The search runs in a worker of the page's own text.
    others = [one for one in told["requests"] if not one.startswith(f"{service.url}/")]
    assert [one for one in others if not one.startswith(f"blob:{service.url}/")] == []
    for operation in operations_of(document_of_the_code()):
        assert f"operation/{operation.id}" in told["sections"]
        assert operation.spec["summary"] in told["text"]
    assert told["columns"] > 200
    assert "Get a client's explanation" in told["found"]
