"""docs/operations.md says what is: its settings, units and overlay are held to the code, its blocks are run.

The blocks of "Backup and restore" are run by tests/system/test_backup.py.
"""

import asyncio
import configparser
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import httpx
import pytest
import yaml

import app
from app.cli.main import COMMANDS, GROUPS
from app.settings import Settings
from app.store.migrate import migrate
from docs.settings import meanings, written
from tests.deployment.ops_tools import K8S, ROOT, ops_tool
from tests.installation import Installation, as_new, installation, serving, shell

PAGE = (ROOT / "docs" / "operations.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
# What is installed was fetched by make, and so was the Python that it is installed for.
FETCHED = {
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": str(ROOT / ".wheels"),
    "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
}
OPERATOR = {
    "What is where",
    "Install on Kubernetes",
    "Install on one machine",
    "Upgrade",
    "Rollback",
    "Backup and restore",
} | {
    "Rotate secrets",
    "Scale",
    "Size",
    "Settings",
    "Alerts",
    "Troubleshooting",
}


def blocks(section: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", SECTIONS[section], flags=re.MULTILINE | re.DOTALL)


def test_it_has_all_its_sections():
    assert set(SECTIONS) == OPERATOR
    assert all(text.strip() for title, text in SECTIONS.items() if title != "Alerts")


def test_its_settings_are_those_of_the_code():
    assert written(PAGE) == PAGE, "run `make docs`"
    for name in Settings.model_fields:
        assert meanings()[name] or name in ("host",), f"{name} says nothing of itself"


def test_its_commands_are_there():
    known = {command.__name__ for command in COMMANDS} | {name for name, _ in GROUPS}
    assert set(re.findall(r"python -m app ([a-z]+)", PAGE)) <= known
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert set(re.findall(r"make ([a-z-]+)", PAGE)) <= targets


def test_every_block_that_says_so_is_run():
    runs = {"Backup and restore", "Install on Kubernetes", "Install on one machine", "Rotate secrets"}
    for title in SECTIONS:
        assert not (blocks(title, "bash") or blocks(title, "sql")) or title in runs, title


def test_a_site_is_built_as_it_says(tmp_path: Path):
    (text,) = blocks("Install on Kubernetes", "yaml")
    site = yaml.safe_load(text.replace("sha256:…", "sha256:" + "0" * 64))
    up = "../" * (len(tmp_path.parts) - 1)
    (remote,) = site["resources"]
    site["resources"] = [up + str(K8S / remote.partition("/k8s/")[2].partition("?")[0]).lstrip("/")]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(site))
    done = ops_tool("kubectl", "kustomize", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert "partwise.example.com" not in done.stdout
    images = set(re.findall(r"image: (partwise.*|registry.*)", done.stdout))
    assert images == {f"registry.example.com/partwise@sha256:{'0' * 64}"}


@pytest.mark.parametrize("name", ["partwise@.service", "partwise-worker.service", "partwise-migrate.service"])
def test_units_are_of_commands_and_settings_that_there_are(name: str, tmp_path: Path):
    found = dict(
        re.findall(r"^`/etc/systemd/system/(.+?)`:\n\n```ini\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    )
    unit = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(found[name])
    service = unit["Service"]
    command = re.fullmatch(r"/opt/partwise/current/venv/bin/python -m app (\w+)", service["ExecStart"])
    assert command is not None
    assert command[1] in {one.__name__ for one in COMMANDS}
    fields = {str(one.validation_alias) for one in Settings.model_fields.values() if one.validation_alias}
    fields |= {f"PARTWISE_{one.upper()}" for one in Settings.model_fields}
    for given in service.get("Environment", "").split():
        assert given.partition("=")[0] in fields
    if shutil.which("systemd-analyze") is None:
        return
    # It looks whether the program is there, and whether the user is.
    text = (
        found[name]
        .replace("/opt/partwise/current/venv/bin/python", "/bin/true")
        .replace("User=partwise", "User=daemon")
    )
    file = tmp_path / name.replace("@.", "@8000.")
    file.write_text(text.replace("/opt/partwise/current", "/tmp"))
    for other, content in found.items():
        if other != name:
            (tmp_path / other).write_text(content.replace("/opt/partwise/current/venv/bin/python", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(file)],
        env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:/usr/lib/systemd/system:/lib/systemd/system"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert [line for line in done.stderr.splitlines() if name.partition(".")[0] in line] == []


def test_the_proxys_lines_are_understood(tmp_path: Path):
    program = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    assert program is not None, "haproxy is not installed (Debian: apt-get install haproxy)"
    (text,) = [block for block in blocks("Install on one machine", "text") if "backend" in block]
    timeouts = "defaults\n    mode http\n    timeout connect 2s\n    timeout client 75s\n    timeout server 75s\n"
    (tmp_path / "haproxy.cfg").write_text(
        f"{timeouts}frontend public\n    bind 127.0.0.1:1\n    default_backend partwise\n{text}"
    )
    done = subprocess.run(
        [program, "-c", "-f", str(tmp_path / "haproxy.cfg")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def status(url: str, key: str) -> int:
    return httpx.get(f"{url}/v1/clients", headers={"Authorization": f"Bearer {key}"}).status_code


async def execute(url: str, script: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in filter(None, map(str.strip, script.split(";\n"))):
            await connection.execute(statement)
    finally:
        await connection.close()


async def connections(installed: Installation, login: str) -> int:
    statement = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{login}'"
    found: int = await installed.ask(statement)
    return found


def under(installed: Installation, role: str, password: str) -> str:
    """The same database, as somebody else."""
    return re.sub(r"//[^@]+@", f"//{role}:{password}@", installed.postgres.url())


@pytest.mark.slow
@pytest.mark.system
@pytest.mark.xdist_group("operations")
@pytest.mark.timeout(300)
def test_roles_are_made_and_a_password_is_rotated_while_the_service_goes_on(monkeypatch: pytest.MonkeyPatch):
    (roles,) = blocks("Install on Kubernetes", "sql")
    make_second, end_first = blocks("Rotate secrets", "sql")
    with installation() as installed:
        as_new(installed)
        administrator = installed.administrator.rpartition("/")[0] + "/postgres"
        asyncio.run(execute(administrator, roles))
        asyncio.run(migrate(under(installed, "partwise", "owners-password")))
        monkeypatch.setattr(
            installed.postgres, "service_url", lambda: under(installed, "partwise_login", "services-password")
        )
        with serving(installed) as first:
            key = first.key("acme", "ingest,read")
            assert status(first.url, key) == 200
            asyncio.run(execute(administrator, make_second))
            second_url = under(installed, "partwise_login_b", "another-password")
            monkeypatch.setattr(installed.postgres, "service_url", lambda: second_url)
            with serving(installed) as second:
                assert [status(one.url, key) for one in (first, second)] == [200, 200]
                asyncio.run(execute(administrator, end_first))
                assert asyncio.run(connections(installed, "partwise_login")) == 0
                assert status(second.url, key) == 200
                assert asyncio.run(connections(installed, "partwise_login_b")) > 0
                assert httpx.get(f"{first.url}/readyz").status_code == 503


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_folder_of_a_version_is_made_as_it_says(tmp_path: Path):
    (script,) = blocks("Install on one machine", "bash")
    assert app.__version__ in shell(script, {**os.environ, **FETCHED, "PREFIX": str(tmp_path)}, ROOT)
