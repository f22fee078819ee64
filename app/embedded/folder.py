"""Where everything of the embedded Postgres lies below PARTWISE_HOME."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.embedded.errors import DiskFull, FolderNotUsable

UNFINISHED = "postgres.unfinished-"
NO_SPACE = (28, 122)  # ENOSPC, EDQUOT


@dataclass(frozen=True)
class Folder:
    """PARTWISE_HOME, and the paths in it."""

    home: Path

    @property
    def postgres(self) -> Path:
        """What is made in one step when the cluster is: either it is there in full, or not at all."""
        return self.home / "postgres"

    @property
    def data(self) -> Path:
        """Return the data directory of Postgres."""
        return self.postgres / "data"

    @property
    def credentials(self) -> Path:
        """Return the file with the passwords, readable by its owner alone."""
        return self.postgres / "credentials.json"

    @property
    def log(self) -> Path:
        """Return the server's log."""
        return self.postgres / "server.log"

    @property
    def unfinished(self) -> list[Path]:
        """Return clusters whose making was interrupted."""
        return sorted(self.home.glob(f"{UNFINISHED}*"))

    def new_unfinished(self) -> Path:
        """Make a place where a cluster grows before it is moved to its own.

        A new one each time: the `initdb` of a process that was killed may still be writing into the last one.
        """
        return Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=self.home))

    @property
    def turn(self) -> Path:
        """Return the lock under which the server is started and stopped."""
        return self.home / "postgres.turn.lock"

    @property
    def users(self) -> Path:
        """Return the lock that every user of the server shares while it uses it."""
        return self.home / "postgres.users.lock"

    def make(self) -> None:
        """Create the folder, or say why it cannot be used."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise FolderNotUsable(f"PARTWISE_HOME is {self.home}, which is a file, not a folder") from error
        except OSError as error:
            if error.errno in NO_SPACE:
                raise DiskFull(f"the disk of {self.home} is full") from error
            raise FolderNotUsable(f"cannot create the data folder {self.home}: {error.strerror}") from error
        if not _usable(self.home):
            raise FolderNotUsable(f"the data folder {self.home} is not writable for this user")
        if self.postgres.exists() and not _usable(self.postgres):
            raise FolderNotUsable(f"the data folder {self.postgres} belongs to another user")


def _usable(path: Path) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=effective)
