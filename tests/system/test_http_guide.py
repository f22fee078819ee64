"""docs/http.md says what is: its commands are run against a server, its tables are those of the code."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from app.edge.connections import Limits
from app.edge.cors import Cors
from app.language import LANGUAGES
from app.rest.deprecations import DEPRECATIONS
from app.rest.problem_types import PROBLEM_TYPES
from app.settings import Settings
from app.wire.codings import CODINGS
from tests.guides import blocks_of, printed_by
from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "http.md").read_text()
BLOCKS = blocks_of(GUIDE)


def curl_knows_headers() -> bool:
    """Whether curl writes headers of answers (7.84)."""
    if shutil.which("curl") is None:
        return False
    told = subprocess.run(["curl", "-V"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"curl (\d+)\.(\d+)", told)
    return version is not None and (int(version[1]), int(version[2])) >= (7, 84)


@pytest.mark.skipif(not curl_knows_headers(), reason="this machine has no curl that is new enough")
def test_its_commands_print_what_it_shows(service: Service):
    shown = [text.strip() for language, text in BLOCKS if language == "text"]
    assert printed_by(BLOCKS, service.url, {**os.environ, "KEY": service.key("http-guide")}) == shown


def test_its_limits_are_those_of_the_code():
    rows = re.findall(r"^\| .* \| `PARTWISE_(\w+)` \| ([\d,]+) \|$", GUIDE, flags=re.MULTILINE)
    told = {name.lower(): float(value.replace(",", "")) for name, value in rows}
    assert set(told) == {"head_seconds", "body_seconds", "body_rate", "read_seconds", "connections"}
    for name, value in told.items():
        assert Settings.model_fields[name].default == value == getattr(Limits(), name)
    limits = Limits()
    assert f"over {limits.headers} headers, or {limits.head_bytes // 1024} KiB of them" in GUIDE
    assert f"path and query over {limits.target_bytes // 1024} KiB" in GUIDE


def test_its_headers_are_those_that_pages_may_read():
    exposed = dict(Cors(["https://app.example"]).answer(b"https://app.example"))[b"access-control-expose-headers"]
    for name in exposed.decode().split(", "):
        assert f"`{name}`" in GUIDE


def test_what_it_names_is_there():
    for slug in re.findall(r"`/problems/([\w-]+)`", GUIDE):
        assert slug in PROBLEM_TYPES
    assert f"`Accept-Encoding: {', '.join(CODINGS)}`" in GUIDE
    assert f"`{'` or `'.join(LANGUAGES)}`, English where none fits" in GUIDE
    assert ("Now nothing is deprecated" in GUIDE) == (not DEPRECATIONS)
