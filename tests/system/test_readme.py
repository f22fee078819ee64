"""The README's example does what it says: its commands are run as they stand, its outputs are compared."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)


def run(service: Service) -> tuple[list[Any], Any]:
    """The answers to the stream, and the explanation."""
    (script,) = blocks("bash")
    script = script.replace("http://127.0.0.1:8000", service.url)
    environment = {**os.environ, "PARTWISE_HOME": str(service.home), "PORT": str(service.port)}
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    head, brace, tail = done.stdout.partition("{\n")
    return [json.loads(line) for line in head.splitlines()], json.loads(brace + tail)


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
def test_the_worked_example_is_real(service: Service):
    answers, explanation = run(service)
    shown_answers, shown = blocks("json")
    assert answers == [json.loads(line) for line in shown_answers.splitlines()]
    explanation["signs"] = [sign for sign in explanation["signs"] if sign["decibans"] > 0]
    cost = explanation["cost_of_staying"]
    cost["terms"] = [term for term in cost["terms"] if term["amount"] != "0.00"]
    assert explanation == json.loads(shown)


@pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl")
def test_the_graphql_example_is_real(service: Service):
    (command,) = [block for block in blocks("console") if "/graphql" in block]
    environment = {**os.environ, "URL": service.url, "KEY": service.key("studio")}
    done = subprocess.run(["bash", "-c", command], env=environment, capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)["data"]["clients"]) == {"totalCount", "edges"}


@pytest.mark.parametrize(
    "file", ["README.md", "CONTRIBUTING.md", *sorted(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/**/*.md"))]
)
def test_links_lead_somewhere(file: str):
    folder = (ROOT / file).parent
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / file).read_text()):
        assert (folder / target).exists(), target
