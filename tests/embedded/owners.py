"""Owners of an embedded Postgres as processes of their own, so that they can be killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from app.embedded.binaries import Binaries
from app.embedded.folder import Folder
from app.embedded.postmaster import Claim, Postmaster

OWNER = """
import sys
from pathlib import Path
from app.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as postgres:
    print(postgres.url(), flush=True)
    sys.stdin.read()
"""


class Owner:
    """A process that uses the embedded Postgres of a folder until it is told to stop, or killed."""

    def __init__(self, home: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(home)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )

    def url(self) -> str:
        assert self.process.stdout
        url = self.process.stdout.readline().strip()
        assert url, "the owner ended without a Postgres"
        return url

    def stop(self) -> None:
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()


def postmaster(home: Path) -> psutil.Process | None:
    """The postmaster that runs in a data folder."""
    return Postmaster(Folder(home), Binaries.find()).running()


def kill_postmaster(home: Path) -> psutil.Process:
    """Kill it as the kernel does when memory runs out."""
    process = postmaster(home)
    assert process is not None
    os.kill(process.pid, signal.SIGKILL)
    return process


def ask(home: Path, statement: str, database: str = "partwise") -> str:
    """Ask the server of a data folder, as its administrator."""
    claim = Claim.read(Folder(home))
    assert claim is not None
    return Postmaster(Folder(home), Binaries.find()).ask(claim.port, statement, database=database).strip()
