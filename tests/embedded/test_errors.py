"""What the embedded Postgres says when it cannot run: a type for the program, a sentence for the person."""

import importlib.util
import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.embedded import (
    AccountMissing,
    BinariesMissing,
    DiskFull,
    EmbeddedPostgres,
    EmbeddedPostgresError,
    FolderNotUsable,
    VersionMismatch,
)
from app.embedded.account import Account
from app.embedded.binaries import reason_for


def test_a_file_in_place_of_the_folder(home: Path):
    home.write_text("")
    with pytest.raises(FolderNotUsable, match="is a file, not a folder"):
        EmbeddedPostgres(home).start()
    home.unlink()


def test_a_folder_below_a_file(home: Path):
    home.write_text("")
    with pytest.raises(FolderNotUsable, match="cannot create the data folder"):
        EmbeddedPostgres(home / "below").start()
    home.unlink()


@contextmanager
def acting_as(account: Account) -> Iterator[None]:
    """Be that account for a while, if it is not ours already."""
    if account.is_ours:
        yield
        return
    groups = os.getgroups()
    os.setgroups([])
    os.setegid(account.gid)
    os.seteuid(account.uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
        os.setgroups(groups)


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_is_not_writable(tmp_path: Path, mode: int):
    """Tried by an account that is not root, to which modes would mean nothing."""
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(mode)
    account = Account.choose(tmp_path / "none")
    account.let_pass(closed)
    with acting_as(account):
        with pytest.raises(FolderNotUsable, match="is not writable for this user"):
            EmbeddedPostgres(closed).start()
        with pytest.raises(FolderNotUsable, match="cannot create the data folder"):
            EmbeddedPostgres(closed / "home").start()


def test_data_of_another_version(home: Path):
    with EmbeddedPostgres(home):
        pass
    (home / "postgres" / "data" / "PG_VERSION").write_text("9\n")
    with pytest.raises(VersionMismatch, match="made by Postgres 9, and this is Postgres 18"):
        EmbeddedPostgres(home).start()


def test_lost_credentials(home: Path):
    with EmbeddedPostgres(home):
        pass
    (home / "postgres" / "credentials.json").write_text("{")
    with pytest.raises(FolderNotUsable, match=r"credentials\.json is missing or damaged"):
        EmbeddedPostgres(home).start()


def test_a_folder_of_something_else(home: Path):
    (home / "postgres").mkdir(parents=True)
    (home / "postgres" / "thesis.txt").write_text("mine")
    with pytest.raises(FolderNotUsable, match="move it away"):
        EmbeddedPostgres(home).start()
    assert (home / "postgres" / "thesis.txt").read_text() == "mine"


def test_damaged_data(home: Path):
    with EmbeddedPostgres(home):
        pass
    (home / "postgres" / "data" / "global" / "pg_control").write_bytes(b"\0" * 8192)
    with pytest.raises(EmbeddedPostgresError, match="postgres failed"):
        EmbeddedPostgres(home).start()


def test_no_wheel(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BinariesMissing, match="set DATABASE_URL"):
        EmbeddedPostgres(home).start()


def test_no_account_for_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def nobody_at_all(name: str) -> pwd.struct_passwd:
        raise KeyError(name)

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(pwd, "getpwnam", nobody_at_all)
    with pytest.raises(AccountMissing, match="set DATABASE_URL"):
        Account.choose(tmp_path / "none")


@pytest.mark.parametrize(
    ("output", "kind", "message"),
    [
        ("initdb: error: could not write file: No space left on device", DiskFull, "is full"),
        ('FATAL:  could not access directory "x": Permission denied', FolderNotUsable, "not usable"),
        ("LOG: one\nFATAL:  two\nHINT: three", EmbeddedPostgresError, "FATAL:  two"),
        ("", EmbeddedPostgresError, "no message"),
    ],
)
def test_reasons(output: str, kind: type[EmbeddedPostgresError], message: str):
    reason = reason_for("postgres", output)
    assert type(reason) is kind
    assert message in str(reason)
