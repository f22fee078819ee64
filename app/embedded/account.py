"""The account that Postgres runs as: ours, unless we are root, which Postgres refuses."""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from app.embedded.errors import AccountMissing, FolderNotUsable

# In containers as on full systems, one of these exists. No account is created: that is not ours to do.
CANDIDATES = ("postgres", "nobody")


class SubprocessAccount(TypedDict, total=False):
    """The arguments of `subprocess` that choose an account."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """Who runs Postgres."""

    uid: int
    gid: int
    name: str
    is_ours: bool

    @classmethod
    def choose(cls, data: Path) -> "Account":
        """Choose who runs the cluster in `data`: its owner, if it exists already."""
        if os.geteuid() != 0:
            return cls(os.geteuid(), os.getegid(), str(os.geteuid()), is_ours=True)
        if data.exists() and data.stat().st_uid != 0:
            return cls._of(pwd.getpwuid(data.stat().st_uid))
        for name in CANDIDATES:
            try:
                return cls._of(pwd.getpwnam(name))
            except KeyError:
                continue
        raise AccountMissing(
            f"Postgres does not run as root, and none of the accounts {', '.join(CANDIDATES)} exists. "
            "Run as another user, or set DATABASE_URL."
        )

    @classmethod
    def _of(cls, entry: pwd.struct_passwd) -> "Account":
        return cls(entry.pw_uid, entry.pw_gid, entry.pw_name, is_ours=False)

    def for_subprocess(self) -> SubprocessAccount:
        """Return the arguments that make `subprocess` become this account."""
        if self.is_ours:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Give a path to the account."""
        if not self.is_ours:
            os.chown(path, self.uid, self.gid)

    def let_pass(self, path: Path) -> list[Path]:
        """Let the account traverse the folders above `path`, and return those whose mode had to change.

        A checkout below /root or in a private temporary folder is closed to everyone but root. Only the
        permission to pass through is added, not the one to list or read, and only where it lacks.
        """
        changed = []
        if not self.is_ours:
            for folder in reversed(path.resolve().parents):
                if not self._may(folder.stat(), stat.S_IXUSR):
                    try:
                        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
                    except OSError as error:
                        raise FolderNotUsable(
                            f"the account {self.name}, which runs Postgres, cannot enter {folder}"
                        ) from error
                    changed.append(folder)
        return changed

    def let_read(self, tree: Path) -> None:
        """Let the account read the binaries, also when they were installed under a strict umask."""
        if self.is_ours:
            return
        self.let_pass(tree)
        if all(self._may(path.stat(), stat.S_IRUSR) for path in (tree, tree / "bin" / "postgres")):
            return
        for path in (tree, *tree.rglob("*")):
            if not path.is_symlink():
                mode = stat.S_IMODE(path.stat().st_mode)
                path.chmod(mode | (mode & (stat.S_IRUSR | stat.S_IXUSR)) >> 6)

    def _may(self, status: os.stat_result, owner_bit: int) -> bool:
        """Whether the account has a permission, given as the owner's bit of it."""
        if status.st_uid == self.uid:
            return bool(status.st_mode & owner_bit)
        if status.st_gid == self.gid:
            return bool(status.st_mode & owner_bit >> 3)
        return bool(status.st_mode & owner_bit >> 6)
