"""`migrate --wait`: what has to run after a migration waits for it, and changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import main as cli


def waits(seconds: int) -> int:
    try:
        cli.main(["migrate", "--wait", str(seconds)])
    except SystemExit as ended:
        return int(str(ended.code or 0))
    return 0


def test_a_schema_that_is_up_to_date_is_not_waited_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    # The service's own login may ask.
    monkeypatch.setenv("DATABASE_URL", database_url)
    assert waits(0) == 0
    assert capsys.readouterr().err == "The schema is up to date.\n"


def test_one_that_is_not_is_left_as_it_is(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DATABASE_URL", empty_database_url)
    assert [waits(0), waits(0)] == [1, 1]
    assert "not up to date after 0 s" in capsys.readouterr().err


def test_a_database_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/nothing")
    assert waits(0) == 1
    assert "or the database is away" in capsys.readouterr().err


def test_without_a_database_there_is_nobody_to_wait_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("MIGRATION_DATABASE_URL", raising=False)
    assert waits(0) == 1
    assert "DATABASE_URL is not set" in capsys.readouterr().err


def test_it_ends_when_another_one_has_migrated(empty_database_url: str, tmp_path: Path):
    environment = {**os.environ, "DATABASE_URL": empty_database_url, "PARTWISE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", "app", "migrate"]
    waiting = subprocess.Popen([*command, "--wait", "100"], env=environment, stderr=subprocess.PIPE, text=True)
    try:
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(2)
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=100)
        assert waiting.communicate(timeout=100)[1] == "The schema is up to date.\n"
        assert waiting.returncode == 0
    finally:
        waiting.kill()
        waiting.wait()
