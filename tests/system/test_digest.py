"""docs/digest.md does what it says, and what it mails looks in a browser as it should."""

import email
import email.policy
import os
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.guides import blocks_of, printed_by
from tests.service import Service
from tests.system.mailbox import mailbox

pytestmark = [pytest.mark.system, pytest.mark.xdist_group("system")]

GUIDE = (Path(__file__).parents[2] / "docs" / "digest.md").read_text()
BLOCKS = blocks_of(GUIDE)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="this machine has no curl or no jq")
def test_the_guide_prints_what_it_shows_and_its_script_mails_it(service: Service, tmp_path: Path):
    expected: list[str] = []
    for language, text in BLOCKS:
        if language == "bash":
            expected.append("")
        elif language == "text":
            expected[-1] = text.strip()
    key = service.key("digest-guide")
    assert printed_by(BLOCKS, service.url, {**os.environ, "KEY": key}, tmp_path) == expected
    where = {"URL": service.url, "KEY": key}
    who = {"FROM": "partwise@studio.example", "TO": "me@studio.example"}
    for reads, word in (("en", "Your clients"), ("ru", "Ваши клиенты")):
        with mailbox() as server:
            environment = {**os.environ, **where, **who, "READS": reads, "SMTP": server.url}
            subprocess.run([tmp_path / "monday.sh"], env=environment, check=True, timeout=60)
            ((to, raw),) = server.mails
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        assert (to, mail["To"].addresses[0].addr_spec, mail["From"].addresses[0].addr_spec) == (
            who["TO"],
            who["TO"],
            who["FROM"],
        )
        assert mail["Subject"].startswith(word)
        plain, rich = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None
        assert rich is not None
        assert "Acme Corp." in plain.get_content()
        assert "<title>" in rich.get_content()
        assert not mail.defects
    # Who may not read it is told so by the script's end.
    refused = {**os.environ, **where, **who, "KEY": "pw_nobody", "READS": "en", "SMTP": "smtp://127.0.0.1:1"}
    assert subprocess.run([tmp_path / "monday.sh"], env=refused, check=False, capture_output=True).returncode


@pytest.mark.skipif(BROWSER is None and "CI" not in os.environ, reason="this machine has no Chromium")
def test_a_browser_shows_all_of_it_and_runs_nothing(service: Service, tmp_path: Path):
    assert BROWSER is not None, "Chromium is missing: apt-get install chromium"
    key = service.key("digest-page")
    with httpx.Client(base_url=service.url, headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
        name = "<img src=x onerror=\"document.title='run'\"> & <b>Söhne</b></h3></div>"
        http.put("/v1/clients/odd", json={"name": name}).raise_for_status()
        page = http.get("/v1/portfolio/changes", headers={"Accept": "text/html"}).raise_for_status().text
    (tmp_path / "mail.html").write_text(page)
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            f"file://{tmp_path / 'mail.html'}",
        ],
        check=True,
        capture_output=True,
        text=True,
        timeout=100,
    )
    # What the browser made of it is what it was given: nothing had to be mended, and no name became a tag.
    given = page.replace("<!doctype", "<!DOCTYPE").replace("&quot;", '"').replace("&#x27;", "'")
    assert "".join(done.stdout.split()) == "".join(given.split())
    assert "<title>Your clients" in done.stdout
