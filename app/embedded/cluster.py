"""The cluster on disk: made once, in one step, with passwords of its own."""

import hashlib
import json
import os
import secrets
import shutil
import struct
from dataclasses import asdict, dataclass, field

from app.embedded.account import Account
from app.embedded.binaries import Binaries
from app.embedded.errors import DiskFull, FolderNotUsable, VersionMismatch
from app.embedded.folder import NO_SPACE, Folder

SUPERUSER = "postgres"


def _password() -> str:
    return secrets.token_hex(24)


@dataclass(frozen=True)
class Credentials:
    """Three roles: one administers the server, one owns the service's databases, as one the service works."""

    superuser: str = field(default_factory=_password, repr=False)
    owner: str = field(default_factory=_password, repr=False)

    @property
    def service(self) -> str:
        """Derived, so that clusters have it that were made without; it does not tell the owner's."""
        return hashlib.sha256(f"service {self.owner}".encode()).hexdigest()

    @classmethod
    def read(cls, folder: Folder) -> "Credentials":
        """Read the passwords that were made with the cluster."""
        try:
            return cls(**json.loads(folder.credentials.read_text()))
        except (OSError, ValueError, TypeError) as error:
            raise FolderNotUsable(
                f"{folder.credentials} is missing or damaged; the database cannot be opened without it"
            ) from error


def ensure_cluster(folder: Folder, binaries: Binaries, *, durable: bool) -> None:
    """Make the cluster unless it exists, and check that the binaries can open it.

    It grows beside its place and is renamed when complete, so that a crash leaves nothing half made.
    """
    if folder.data.exists():
        _check_version(folder, binaries)
        Credentials.read(folder)
        return
    if folder.postgres.exists() and any(folder.postgres.iterdir()):
        raise FolderNotUsable(f"{folder.postgres} exists but holds no Postgres data; move it away")
    try:
        _make(folder, binaries, durable=durable)
    except OSError as error:
        if error.errno in NO_SPACE:
            raise DiskFull(f"the disk of {folder.home} is full") from error
        raise FolderNotUsable(f"cannot make the database in {folder.home}: {error.strerror}") from error
    finally:
        for leftover in folder.unfinished:
            shutil.rmtree(leftover, ignore_errors=True)


def _make(folder: Folder, binaries: Binaries, *, durable: bool) -> None:
    account = Account.choose(folder.data)
    account.let_read(binaries.root)
    growing = folder.new_unfinished()
    growing.chmod(0o711)
    account.let_pass(growing / "data")

    credentials = Credentials()
    data = growing / "data"
    data.mkdir(mode=0o700)
    account.own(data)
    password_file = growing / "superuser"
    _write_private(password_file, credentials.superuser)
    account.own(password_file)
    binaries.run(
        "initdb",
        [
            f"--pgdata={data}",
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *([] if durable else ["--no-sync"]),
        ],
        account=account,
    )
    password_file.unlink()
    _write_private(growing / "credentials.json", json.dumps(asdict(credentials)))
    growing.rename(folder.postgres)
    _sync(folder.postgres)
    _sync(folder.home)


def system_identifier(folder: Folder) -> int:
    """Return the number that tells this cluster from all others: how its control file begins."""
    with (folder.data / "global" / "pg_control").open("rb") as control:
        return int(struct.unpack("=Q", control.read(8))[0])


def _check_version(folder: Folder, binaries: Binaries) -> None:
    try:
        made_by = int((folder.data / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise FolderNotUsable(f"{folder.data} cannot be read or is no Postgres data folder") from error
    ours = binaries.major_version()
    if made_by != ours:
        raise VersionMismatch(
            f"{folder.data} was made by Postgres {made_by}, and this is Postgres {ours}. "
            "Dump it with the old version, or choose another PARTWISE_HOME."
        )


def _write_private(path: os.PathLike[str], text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(path: os.PathLike[str]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
