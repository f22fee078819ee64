"""The audit of dependencies asks about all of them, tells of an advisory, and never takes silence for an all-clear."""

import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests import audit

LOCKS = ["runtime", "local", "dev"]


class Registry(BaseHTTPRequestHandler):
    """Knows of one advisory, about any version of graphiql."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        advisory = {
            "id": 1,
            "url": "https://github.com/advisories/GHSA-xxxx",
            "title": "x",
            "severity": "high",
            "vulnerable_versions": "*",
            "cwe": [],
            "cvss": {"score": 9, "vectorString": None},
        }
        body = json.dumps({"graphiql": [advisory]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the library
        del format, args


@pytest.fixture
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.mark.parametrize("name", LOCKS)
def test_the_lock_that_is_audited_holds_all_others(name: str):
    def pins(path: Path) -> set[str]:
        return {line.partition(" ")[0] for line in path.read_text().splitlines() if line[:1].isalnum()}

    assert pins(audit.LARGEST.with_name(f"{name}.lock")) <= pins(audit.LARGEST)


def test_every_folder_of_npm_is_audited():
    found = audit.ROOT.rglob("package-lock.json")
    folders = {path.parent.relative_to(audit.ROOT) for path in found if "node_modules" not in path.parts}
    assert {path.as_posix() for path in folders if ".venv" not in path.parts} == set(audit.FOLDERS)


def test_an_advisory_is_told(registry: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("npm_config_registry", registry)
    found = audit.Found()
    audit.audit_npm(found, audit.ROOT / "graphiql")
    assert found.unasked == []
    assert any("graphiql" in line and "GHSA-xxxx" in line for line in found.advisories)


def test_who_cannot_be_asked_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("npm_config_registry", "HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    found = audit.Found()
    audit.audit_npm(found, audit.ROOT / "graphiql")
    lock = tmp_path / "one.lock"
    lock.write_text(f"msgspec==0.22.0 --hash=sha256:{'0' * 64}\n")
    audit.audit_python(found, lock, timeout=1)
    assert found.asked == []
    assert len(found.unasked) == 2


def test_silence_is_no_all_clear(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(audit, "audit_python", lambda found: found.unasked.append("x.lock: away"))
    monkeypatch.setattr(audit, "audit_npm", lambda found, folder: found.asked.append(folder.name))
    assert audit.main([]) == 2
    assert audit.main(["--offline-ok"]) == 0
    assert "NOT AUDITED: x.lock: away" in capsys.readouterr().out


def test_ci_asks():
    subprocess.run(["bash", "-n", str(audit.ROOT / ".ci" / "run")], check=True)
    assert "make audit" in (audit.ROOT / ".ci" / "run").read_text()
