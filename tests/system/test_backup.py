"""docs/operations.md, "Backup and restore": its commands are run as they stand; what is restored is what was there."""

import asyncio
import re
import shutil
import subprocess
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.embedded.account import Account
from app.embedded.binaries import Binaries
from app.embedded.folder import Folder
from app.store.migrate import migrate
from app.stories import STORIES
from tests.cloud_events import STRUCTURED, as_json, cloud_event
from tests.installation import ROOT, Installation, as_new, installation, serving, shell
from tests.service import Service

pytestmark = [pytest.mark.system, pytest.mark.slow, pytest.mark.xdist_group("backup"), pytest.mark.timeout(300)]

DAY = (datetime.now(UTC) - timedelta(days=2)).date()
PAGE = (ROOT / "docs" / "operations.md").read_text()
(SECTION,) = re.findall(r"^## Backup and restore\n(.*?)(?=^## )", PAGE, flags=re.MULTILINE | re.DOTALL)


def part(title: str) -> dict[str, list[str]]:
    """The blocks below a heading of the section, by their language."""
    (text,) = re.findall(rf"^### {title}\n(.*?)(?=^### |\Z)", SECTION, flags=re.MULTILINE | re.DOTALL)
    found: dict[str, list[str]] = {}
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        found.setdefault(language, []).append(block)
    return found


def told_of(service: Service, key: str) -> dict[str, Any]:
    """What the service says of every demo client, as of a day that is over."""
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=service.url, headers=headers, timeout=60) as http:
        found = {
            story.client_id: http.get(f"/v1/clients/{story.client_id}/explanation?as_of={DAY}").raise_for_status()
            for story in STORIES
        }
        return {name: answer.json() for name, answer in found.items()}


@contextmanager
def events_meanwhile(service: Service) -> Iterator[list[str]]:
    """Events of another tenant keep coming while the block lasts; the list has those that were acknowledged."""
    ended = threading.Event()
    acknowledged: list[str] = []
    key, prefix = service.key("busy"), uuid.uuid4()

    def send() -> None:
        headers = {"Authorization": f"Bearer {key}", "Content-Type": STRUCTURED}
        with httpx.Client(base_url=service.url, headers=headers, timeout=60) as http:
            while not ended.is_set():
                name = f"{prefix}-{len(acknowledged)}"
                http.post("/v1/events", content=as_json(cloud_event(name, client="busy"))).raise_for_status()
                acknowledged.append(name)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield acknowledged
    finally:
        ended.set()
        thread.join()


@pytest.fixture(scope="module")
def live() -> Iterator[tuple[Installation, Service, str]]:
    """An installation that works, with the demo clients."""
    with installation() as installed:
        asyncio.run(migrate(installed.postgres.url()))
        with serving(installed) as service:
            yield installed, service, service.command("demo")


def test_a_dump_of_a_live_database_is_restored_into_a_new_cluster(
    live: tuple[Installation, Service, str], tmp_path: Path, record_property
):
    source, service, key = live
    before = told_of(service, key)
    dump = part("Dump")
    with events_meanwhile(service) as acknowledged:
        for statement in dump["sql"]:
            asyncio.run(source.ask(statement))
        backup = re.sub(r"//[^@]+@", "//partwise_backup:a-password@", source.administrator)
        known = len(acknowledged)
        shell("".join(dump["bash"]), source.environment(tmp_path) | {"BACKUP_URL": backup}, tmp_path)
    with installation() as fresh:
        as_new(fresh)
        restore = part("Restore")
        environment = fresh.environment(tmp_path) | {"NEW_URL": fresh.administrator.rpartition("/")[0]}
        passwords = {
            "OWNER_PASSWORD": environment["MIGRATION_DATABASE_URL"].split(":")[2].partition("@")[0],
            "LOGIN_PASSWORD": environment["DATABASE_URL"].split(":")[2].partition("@")[0],
        }
        said = shell("\n".join(restore["bash"]), environment | passwords, tmp_path)
        assert " 0 differ" in said
        with serving(fresh) as restored:
            # The keys, the tags and all that was told are the same.
            assert told_of(restored, key) == before
            events = asyncio.run(fresh.ask("SELECT count(*) FROM event WHERE client_id = 'busy'"))
            # Those that came before it began; of the others some.
            assert known <= events <= len(acknowledged)
            told = asyncio.run(fresh.ask("SELECT count(*) FROM event"))
            sent = {"Authorization": f"Bearer {key}", "Content-Type": STRUCTURED}
            again = httpx.post(
                f"{restored.url}/v1/events", headers=sent, content=as_json(cloud_event("new", client="x"))
            )
            assert again.is_success, again.text
    record_property(
        "summary", f"restored {told:,} events from a dump of {(tmp_path / 'partwise.dump').stat().st_size:,} bytes"
    )


def test_a_dump_as_the_owner_is_refused_as_the_page_says(live: tuple[Installation, Service, str], tmp_path: Path):
    source, _, _ = live
    owner = source.environment(tmp_path)["MIGRATION_DATABASE_URL"]
    done = subprocess.run(
        [Binaries.find().path("pg_dump"), "--file", str(tmp_path / "x"), owner],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "row-level security" in done.stderr


def test_a_copy_of_the_cluster_is_checked_and_serves(
    live: tuple[Installation, Service, str], tmp_path: Path, record_property
):
    source, service, key = live
    before = told_of(service, key)
    with events_meanwhile(service) as acknowledged:
        known = len(acknowledged)
        environment = source.environment(tmp_path) | {"ADMIN_URL": source.administrator}
        said = shell("\n".join(part("Copy of the cluster")["bash"]), environment, tmp_path)
        assert "backup successfully verified" in said

    def put_back(home: Path) -> None:
        account = Account.choose(Folder(source.home).data)
        folder = Folder(home)
        folder.postgres.mkdir()
        folder.postgres.chmod(0o711)
        shutil.copy(Folder(source.home).credentials, folder.credentials)
        shutil.move(tmp_path / "partwise-base", folder.data)
        for path in [folder.data, *folder.data.rglob("*")]:
            account.own(path)

    with installation(put_back) as copied, serving(copied) as restored:
        assert told_of(restored, key) == before
        events = asyncio.run(copied.ask("SELECT count(*) FROM event WHERE client_id = 'busy'"))
        assert known <= events
        assert "0 differ" in restored.run("verify").stderr
    record_property("summary", f"a copy of the live cluster serves, with {events} events of those that came meanwhile")
