"""The guide does what it says: its commands are run in order as they stand, what they print is what it shows.

So clients are generated from the committed document, pass their type checkers, and go through a whole flow.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", GUIDE, flags=re.MULTILINE | re.DOTALL)
FILES = {"python": "flow.py", "typescript": "flow.ts", "jsonc": "tsconfig.json"}
MARK = "@@@"
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
    commands = [text.replace("http://127.0.0.1:8000", service.url) for language, text in BLOCKS if language == "bash"]
    environment = node_environment() | {"PARTWISE_HOME": str(service.home), "PORT": str(service.port)}
    path = [str(Path(sys.executable).parent), str(project / "node_modules" / ".bin"), environment["PATH"]]
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"\necho {MARK}\n".join(commands)],
        cwd=project,
        env={**environment, "PATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [text.strip() for text in done.stdout.split(MARK)]


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
