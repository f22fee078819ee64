"""The embedded Postgres when something is killed, stale, frozen or not what it claims to be."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.embedded import EmbeddedPostgres, NotAnswering
from app.embedded import postmaster as postmaster_module
from app.embedded.account import Account
from app.embedded.folder import Folder
from tests.embedded.owners import Owner, ask, kill_postmaster, postmaster

StartOwner = Callable[[], Owner]


def pid_of(home: Path) -> int:
    process = postmaster(home)
    assert process is not None
    return process.pid


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_a_killed_postmaster_is_restarted_with_everything_committed(home: Path):
    with EmbeddedPostgres(home) as postgres:
        ask(home, "create table kept as select generate_series(1, 1000) as number")
        killed = kill_postmaster(home)
        # Dead, but not waited for: its number still answers to signal 0.
        assert (home / "postgres" / "data" / "postmaster.pid").exists()
        assert postgres.start() == postgres.url()
        assert pid_of(home) != killed.pid
        assert ask(home, "select count(*) from kept") == "1000"
        assert "was not properly shut down" in (home / "postgres" / "server.log").read_text()


def test_a_postmaster_killed_with_a_busy_backend_is_restarted(home: Path, owner: StartOwner):
    """An orphan that computes does not notice its postmaster's death, and must not meet the next one."""
    owner().url()
    busy = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(home)], cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL
    )
    try:
        wait_until(lambda: ask(home, "select count(*) from pg_stat_activity where query like '%1e12%'") >= "2")
        parent = postmaster(home)
        assert parent is not None
        children = parent.children()
        kill_postmaster(home)
        with EmbeddedPostgres(home):
            assert ask(home, "select 1") == "1"
            assert not any(child.is_running() and child.status() != "zombie" for child in children)
    finally:
        busy.kill()
        busy.wait()


BUSY = """
import sys
from pathlib import Path
sys.path.insert(0, ".")
from tests.embedded.owners import ask
ask(Path(sys.argv[1]), "select count(*) from generate_series(1, 1e12)")
"""


def test_a_watched_postmaster_comes_back_at_the_same_address(home: Path):
    said: list[str] = []
    with EmbeddedPostgres(home) as postgres, postgres.watched(said.append):
        before = postgres.url()
        killed = kill_postmaster(home)
        wait_until(lambda: said)
        assert "recovered" in said[0]
        assert postgres.url() == before
        assert pid_of(home) != killed.pid
        assert ask(home, "select 1") == "1"


def test_a_killed_owner_leaves_a_postgres_that_the_next_one_adopts_and_stops(home: Path, owner: StartOwner):
    first = owner()
    url = first.url()
    pid = pid_of(home)
    first.kill()
    assert pid_of(home) == pid, "Postgres outlives its owner"
    second = owner()
    assert second.url() == url
    assert pid_of(home) == pid
    second.stop()
    assert postmaster(home) is None


def test_owner_and_postmaster_both_killed(home: Path, owner: StartOwner):
    first = owner()
    first.url()
    ask(home, "create table kept as select 42 as answer")
    kill_postmaster(home)
    first.kill()
    second = owner()
    second.url()
    assert ask(home, "select answer from kept") == "42"
    second.stop()
    assert postmaster(home) is None


def test_one_of_two_owners_killed_and_the_other_goes_on(home: Path, owner: StartOwner):
    first, second = owner(), owner()
    assert first.url() == second.url()
    first.kill()
    assert ask(home, "select 1") == "1"
    second.stop()
    assert postmaster(home) is None


def test_an_owner_killed_while_it_makes_the_cluster(home: Path, owner: StartOwner):
    first = owner()
    wait_until(lambda: list(home.glob("postgres.unfinished-*/data/PG_VERSION")))
    first.kill()
    assert not (home / "postgres").exists()
    second = owner()
    second.url()
    assert ask(home, "select 1") == "1"
    second.stop()


def test_a_claim_on_a_process_number_that_belongs_to_another_now(home: Path):
    with EmbeddedPostgres(home):
        claim = (home / "postgres" / "data" / "postmaster.pid").read_text()
    # Of the account that runs Postgres: Postgres itself would take it for a rival and refuse to start.
    account = Account.choose(Folder(home).data)
    bystander = subprocess.Popen(["sleep", "60"], **account.for_subprocess())
    try:
        lines = claim.splitlines()
        write_claim(home, [str(bystander.pid), *lines[1:]])
        with EmbeddedPostgres(home):
            assert pid_of(home) != bystander.pid
            assert ask(home, "select 1") == "1"
        assert bystander.poll() is None, "a process that is not ours is not ours to stop"
    finally:
        bystander.kill()
        bystander.wait()


def test_a_copied_folder_does_not_adopt_the_original(home: Path, tmp_path: Path):
    """The same identifier, the same passwords, a claim on a Postgres that answers: yet not this folder's."""
    copy = tmp_path / "copy"
    with EmbeddedPostgres(home):
        ask(home, "create table kept as select 42 as answer")
    copy_tree(home, copy)
    with EmbeddedPostgres(home) as original:
        write_claim(copy, (home / "postgres" / "data" / "postmaster.pid").read_text().splitlines())
        with EmbeddedPostgres(copy) as other:
            assert other.port != original.port
            assert ask(copy, "update kept set answer = 0 returning answer") == "0"
        assert ask(home, "select answer from kept") == "42"


@pytest.mark.parametrize("content", ["", "not a number\n", "99999999\n", "1\n/\n0\n5432\n"])
def test_a_damaged_claim(home: Path, content: str):
    with EmbeddedPostgres(home):
        pass
    write_claim(home, content.splitlines())
    with EmbeddedPostgres(home):
        assert ask(home, "select 1") == "1"


def test_lock_files_that_nobody_holds_lock_nobody_out(home: Path):
    home.mkdir()
    for name in ("postgres.turn.lock", "postgres.users.lock"):
        (home / name).write_text("12345\n")
    with EmbeddedPostgres(home):
        assert ask(home, "select 1") == "1"


def test_a_lock_ends_with_the_process_that_was_killed_holding_it(home: Path):
    home.mkdir()
    code = "import sys,time; from pathlib import Path; from app.embedded.locks import alone\n"
    code += "with alone(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(home / "postgres.turn.lock")],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"held\n"
        holder.send_signal(signal.SIGKILL)
    with EmbeddedPostgres(home):
        assert ask(home, "select 1") == "1"


def test_a_frozen_postgres_is_reported_and_not_doubled(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(postmaster_module, "READY_SECONDS", 1.0)
    monkeypatch.setattr(postmaster_module, "ANSWER_SECONDS", 1.0)
    with EmbeddedPostgres(home):
        frozen = postmaster(home)
        assert frozen is not None
        frozen.suspend()
        try:
            with pytest.raises(NotAnswering, match=str(frozen.pid)):
                EmbeddedPostgres(home).start()
        finally:
            frozen.resume()


def test_a_session_in_mid_transaction_does_not_delay_the_stop(home: Path):
    postgres = EmbeddedPostgres(home)
    postgres.start()
    session = subprocess.Popen(
        [sys.executable, "-c", BUSY, str(home)], cwd=Path(__file__).parents[2], stderr=subprocess.DEVNULL
    )
    wait_until(lambda: ask(home, "select count(*) from pg_stat_activity where query like '%1e12%'") >= "2")
    began = time.monotonic()
    assert postgres.stop() is True
    assert time.monotonic() - began < 10
    assert session.wait(timeout=30) != 0


def test_no_process_is_left(home: Path):
    with EmbeddedPostgres(home):
        process = postmaster(home)
        assert process is not None
        family = [process, *process.children()]
    assert [each for each in family if each.is_running() and each.status() != psutil.STATUS_ZOMBIE] == []


def write_claim(home: Path, lines: list[str]) -> None:
    folder = Folder(home)
    path = folder.data / "postmaster.pid"
    path.write_text("".join(line + "\n" for line in lines))
    Account.choose(folder.data).own(path)


def copy_tree(source: Path, target: Path) -> None:
    shutil.copytree(source, target)
    account = Account.choose(Folder(source).data)
    for path in (Folder(target).data, *Folder(target).data.rglob("*")):
        account.own(path)
