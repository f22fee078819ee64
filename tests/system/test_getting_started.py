"""The guide does what it says: its commands are run in order as they stand, what they print is what it shows.

So clients are generated from the committed document, pass their type checkers, and go through a whole flow.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.guides import blocks_of, printed_by
from tests.node import API_TOOLS, Packages, installed, node_environment
from tests.service import Service

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.xdist_group("system"),
    pytest.mark.skipif(shutil.which("curl") is None, reason="this machine has no curl"),
]

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "getting-started.md").read_text()
BLOCKS = blocks_of(GUIDE)
FILES = {"python": "flow.py", "typescript": "flow.ts", "jsonc": "tsconfig.json"}
SHOWN = ("json", "text")


@pytest.fixture(scope="module")
def tools() -> Packages:
    return installed(API_TOOLS)


@pytest.fixture
def project(tools: Packages, tmp_path: Path) -> Path:
    """A checkout as the guide has it, with the files that it tells one to write."""
    for name in ("app", "openapi"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    (tmp_path / "node_modules").symlink_to(tools.folder / "node_modules")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    for language, text in BLOCKS:
        if language in FILES:
            (tmp_path / FILES[language]).write_text(text)
    return tmp_path


def run(service: Service, project: Path) -> list[str]:
    """What each block prints."""
    environment = node_environment() | {"PARTWISE_HOME": str(service.home), "PORT": str(service.port)}
    path = [str(Path(sys.executable).parent), str(project / "node_modules" / ".bin"), environment["PATH"]]
    environment["PATH"] = os.pathsep.join(path)
    return printed_by(BLOCKS, service.url, environment, project, seconds=None)


@pytest.mark.timeout(300)
def test_every_block_is_run_and_prints_what_is_shown(service: Service, project: Path):
    printed = iter(run(service, project))
    said = ""
    for language, text in BLOCKS:
        if language == "bash":
            said = next(printed)
        elif language in SHOWN:
            assert said == text.strip()
    assert next(printed, None) is None
    mypy = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--config-file=",
        "--no-incremental",
        "partwise_client",
        "flow.py",
    ]
    done = subprocess.run(mypy, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_block_is_run_shown_or_written():
    assert {language for language, _ in BLOCKS} == {"bash", "console", *SHOWN, *FILES}
    assert all("install" in text for language, text in BLOCKS if language == "console")
