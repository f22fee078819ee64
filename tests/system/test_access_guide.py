"""docs/access.md says what is: its commands are run against a server and a provider, its table is the table."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.oidc.issuers import Issuer
from app.ports.audit import Action
from app.scopes import GRAPHQL, REST
from app.settings import Settings
from tests.guides import blocks_of, printed_by
from tests.oidc.local_issuer import key
from tests.postgres import Server
from tests.system.test_oidc import Provider
from tests.system.test_replicas import serving

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "access.md").read_text()
BLOCKS = blocks_of(GUIDE)
SETTINGS = [json.loads(text) for language, text in BLOCKS if language == "json"]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    found = Provider(tmp_path, audience=SETTINGS[0][0]["audience"], tenant="my-agency")
    found.start(key("one"))
    try:
        yield found
    finally:
        found.stop()


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="this machine has no curl, or no jq")
def test_its_commands_print_what_it_shows(
    fresh_database_url: str, postgres: Server, tmp_path: Path, provider: Provider
):
    issuers = json.dumps([{**SETTINGS[0][0], "issuer": provider.url}])
    with serving(fresh_database_url, tmp_path, {"PARTWISE_OIDC": issuers}) as url:
        environment = {
            **os.environ,
            "ISSUER": provider.url,
            "DATABASE_URL": fresh_database_url,
            "MIGRATION_DATABASE_URL": postgres.owner_of(fresh_database_url),
            "PARTWISE_HOME": str(tmp_path),
        }
        assert printed_by(BLOCKS, url, environment, ROOT) == expected()


def expected() -> list[str]:
    """What each command prints: what is shown below it, or nothing."""
    found: list[str] = []
    for language, text in BLOCKS:
        if language == "bash":
            found.append("")
        elif language == "text":
            found[-1] = text.strip()
    return found


@pytest.mark.parametrize("n", range(len(SETTINGS)))
def test_its_settings_are_taken(n: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PARTWISE_OIDC", json.dumps(SETTINGS[n]))
    (issuer,) = Settings().oidc
    assert issuer.issuer == SETTINGS[n][0]["issuer"]
    # What has no meaning of its own is told what it stands for.
    assert issuer.scopes_claim in ("scope", "permissions") or set(issuer.scopes) == set(SETTINGS[n][0]["scopes"])


def test_it_tells_of_every_setting_with_its_default():
    rows = dict(re.findall(r"^\| `(\w+)` \| .* \| (.*) \|$", GUIDE, flags=re.MULTILINE))
    assert set(Issuer.model_fields) <= set(rows)
    for name in ("leeway", "keys_fresh", "keys_kept", "keys_pause", "tenant_claim", "scopes_claim"):
        default = Issuer.model_fields[name].default
        assert rows[name].strip("`").replace(",", "") == (default if isinstance(default, str) else f"{default:g}")


def test_its_table_is_the_table():
    rows = re.findall(r"^\| `(ingest|read|manage|metrics)` \| (.*?) ?\| (.*?) ?\|$", GUIDE, flags=re.MULTILINE)
    told = {(name, scope) for scope, *cells in rows for cell in cells for name in re.findall("`(.*?)`", cell)}
    assert told == {(name, str(scope)) for table in (REST, GRAPHQL) for name, scope in table.items() if scope}


def test_it_tells_of_every_action():
    for action in Action:
        assert f"`{action}`" in GUIDE
