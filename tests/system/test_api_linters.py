"""The OpenAPI document as other people's linters see it: Redocly, and Spectral with OWASP's rules."""

from pathlib import Path

import pytest

from tests.node import API_TOOLS, Packages, installed

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "openapi" / "openapi.json"


@pytest.fixture(scope="module")
def tools() -> Packages:
    return installed(API_TOOLS)


def test_redocly_finds_nothing(tools: Packages):
    config = str(DOCUMENT.with_name("redocly.yaml"))
    done = tools.run("redocly", "lint", "--config", config, str(DOCUMENT), REDOCLY_TELEMETRY="off")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout + done.stderr.lower().replace("deprecation warning", "")


def test_spectral_finds_nothing_against_its_own_rules_and_owasps(tools: Packages):
    config = str(DOCUMENT.with_name(".spectral.yaml"))
    done = tools.run("spectral", "lint", "--fail-severity=hint", "--ruleset", config, str(DOCUMENT))
    assert done.returncode == 0, done.stdout + done.stderr


def test_spectral_reads_owasps_rules(tools: Packages, tmp_path: Path):
    """That nothing is found means something: a document without limits is refused."""
    text = DOCUMENT.read_text()
    assert '"maxLength": 40,' in text
    careless = tmp_path / "openapi.json"
    careless.write_text(text.replace('"maxLength": 40,', ""))
    config = str(DOCUMENT.with_name(".spectral.yaml"))
    done = tools.run("spectral", "lint", "--fail-severity=error", "--ruleset", config, str(careless))
    assert done.returncode == 1
    assert "owasp:api4:2023-string-limit" in done.stdout
