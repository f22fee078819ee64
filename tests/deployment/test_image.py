"""The Dockerfile, and what of the image can be tried without building it: the same steps, the same command."""

import os
import re
import subprocess
from pathlib import Path

import pytest

import app
from app.settings import Settings
from tests.deployment.ops_tools import ROOT, ops_tool

DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)[1:]


def test_hadolint_has_nothing_against_it():
    done = ops_tool("hadolint", "--no-color", "--failure-threshold", "style", "Dockerfile")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hadolint ignore" not in DOCKERFILE


def test_it_is_locked():
    build, _ = STAGES
    assert "--require-hashes" in build
    assert "--only-binary=:all:" in build
    lock = (ROOT / "requirements" / "runtime.lock").read_text()
    pinned = re.findall(r"^[\w.-]+==\S+.*?(?=^\S|\Z)", lock, flags=re.MULTILINE | re.DOTALL)
    assert pinned
    assert all("--hash=sha256:" in one for one in pinned)


def test_what_it_sets_are_settings_of_the_service():
    names = set(re.findall(r"PARTWISE_(\w+)=", DOCKERFILE))
    assert names == {"COMMIT", "HOST", "METRICS_PORT"}
    assert {name.lower() for name in names} <= set(Settings.model_fields)


def test_what_it_exposes_is_where_the_service_listens():
    (exposed,) = re.findall(r"^EXPOSE (.*)$", DOCKERFILE, flags=re.MULTILINE)
    (operators,) = re.findall(r"PARTWISE_METRICS_PORT=(\d+)", DOCKERFILE)
    assert exposed.split() == [str(Settings.model_fields["port"].default), operators]


def test_it_runs_as_nobody():
    _, final = STAGES
    assert re.findall(r"^USER (.*)$", final, flags=re.MULTILINE) == ["10001:10001"]
    # What it runs belongs to root: nothing is given to the user.
    assert "--chown" not in DOCKERFILE


@pytest.mark.parametrize("builder", ["docker", "podman", "buildah"])
def test_it_is_built_from_a_commit(builder: str, tmp_path: Path):
    script = tmp_path / builder
    script.write_text('#!/bin/sh\nprintf "%s\\n" "$SOURCE_DATE_EPOCH" "$@"\n')
    script.chmod(0o755)
    environment = {**os.environ, "BUILDER": str(script), "BASE": "python@sha256:0", "IMAGE": "here/partwise:1"}
    command = ["sh", str(ROOT / "requirements" / "image.sh")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    moment, *told = done.stdout.splitlines()
    assert moment.isdigit()
    assert (moment in told) == (builder != "docker")
    assert {f"VERSION={app.__version__}", "BASE=python@sha256:0", "here/partwise:1"} <= set(told)
    assert told[-1] == "."


def test_nothing_else_gets_into_it():
    patterns = (ROOT / ".dockerignore").read_text().splitlines()
    assert patterns[0] == "*"
    assert [one for one in patterns if one.startswith("!")] == ["!LICENSE", "!app", "!requirements/runtime.lock"]
