"""`rates` as a process: what holds for one tenant or key instead of the default."""

import os
import subprocess
import sys

from tests.postgres import Server


def test_rates_are_set_listed_and_unset(fresh_database_url: str, postgres: Server):
    environment = {
        **os.environ,
        "DATABASE_URL": fresh_database_url,
        "MIGRATION_DATABASE_URL": postgres.owner_of(fresh_database_url),
    }

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "app", *arguments, "--tenant", "t"]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert run("rates", "list").returncode == 1
    assert run("keys", "create").returncode == 0
    key = run("keys", "list").stdout.split("\t")[0]
    assert run("rates", "set", "burst=20/10 events=off").returncode == 0
    assert run("rates", "set", "burst=5/10", "--key", key).returncode == 0
    assert sorted(run("rates", "list").stdout.splitlines()) == sorted(
        [f"{key}\tburst=5/10", "all\tburst=20/10", "all\tevents=off"]
    )
    assert run("rates", "unset", "burst").returncode == 0
    assert sorted(run("rates", "list").stdout.splitlines()) == sorted([f"{key}\tburst=5/10", "all\tevents=off"])
    refused = run("rates", "set", "calls=1/1")
    assert refused.returncode == 1
    assert "burst, sustained, events, cost" in refused.stderr
    assert run("rates", "set", "burst=1/1", "--key", "nobody").returncode == 1
