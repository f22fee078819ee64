"""Schemathesis reads the OpenAPI document and tries to break the running server by it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import Service

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("system")]


@pytest.mark.timeout(420)
def test_the_server_keeps_what_the_document_promises(service: Service, tmp_path: Path):
    key = service.key("schemathesis", "ingest,read,manage")
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={ROOT / 'schemathesis.toml'}",
        "run",
        f"{service.url}/openapi.json",
        "--header",
        f"Authorization: Bearer {key}",
        "--max-examples=5",
        "--no-color",
        # The same cases every time: a red CI means a broken change, not a lucky draw.
        "--generation-deterministic",
    ]
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-6000:]
