"""Asks the databases of advisories about every dependency of the lock files: `make audit`.

Ends with 1 where there is an advisory, and with 2 where a database could not be asked: that is not the same as "nothing
found", and is never told as such. `--offline-ok` (CI) makes the second a warning that stands in the log, for a network
that is away says nothing about a change.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.node import audit_command, node_environment

__all__ = ["IGNORED", "Found", "audit_npm", "audit_python", "main"]

ROOT: Final = Path(__file__).parents[1]
# Advisories that do not concern us, each with the reason and until when that holds.
IGNORED: Final[Mapping[str, str]] = {}
# The others are subsets of it; a test holds them to that.
LARGEST: Final = ROOT / "requirements" / "bench.lock"
# Those whose code is served to browsers come first.
FOLDERS: Final = (
    "graphiql",
    "reference",
    "tests/front_ends",
    "tests/api_tools",
    "tests/issuer",
    "tests/receivers",
    "benchmarks/postgraphile",
)


class Found:
    """What was asked and what came of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.advisories: list[str] = []
        self.unasked: list[str] = []

    def tell(self) -> None:
        for line in self.asked:
            print(f"audited: {line}")
        for line in self.unasked:
            print(f"NOT AUDITED: {line}")
        for line in self.advisories:
            print(f"ADVISORY: {line}")


def audit_python(found: Found, lock: Path = LARGEST, *, timeout: int = 15) -> None:
    """Ask about the Python packages of a lock file."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(lock), "--disable-pip", "--format=json"]
    for ignored in IGNORED:
        command += ["--ignore-vuln", ignored]
    command += ["--progress-spinner=off", f"--timeout={timeout}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    name = f"{lock.parent.name}/{lock.name}"
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
        found.unasked.append(f"{name}: {reason[:300]}")
        return
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped:
        few = ", ".join(skipped[:5]) + (" …" if len(skipped) > 5 else "")
        found.unasked.append(f"{name}: no answer about {len(skipped)} of {len(packages)} packages: {few}")
    if len(skipped) < len(packages):
        found.asked.append(f"{name}: {len(packages) - len(skipped)} packages")
    found.advisories += [
        f"{name}: {package['name']} {package['version']}: {advisory['id']}, mended in {advisory['fix_versions']}"
        for package in packages
        for advisory in package.get("vulns", ())
    ]


def audit_npm(found: Found, folder: Path) -> None:
    """Ask about the npm packages of a folder's lock file; nothing is installed."""
    done = subprocess.run(
        audit_command(), cwd=folder, env=node_environment(), capture_output=True, text=True, check=False, timeout=300
    )
    name = f"{folder.name}/package-lock.json"
    try:
        told = json.loads(done.stdout)
        advisories, count = told["vulnerabilities"], told["metadata"]["dependencies"]["total"]
    except (ValueError, KeyError, TypeError):
        found.unasked.append(f"{name}: the registry gives no advisories")
        return
    found.asked.append(f"{name}: {count} packages")
    for package, advisory in advisories.items():
        sources = [via["url"].rpartition("/")[2] for via in advisory["via"] if isinstance(via, dict)]
        if set(sources) - IGNORED.keys():
            found.advisories.append(f"{name}: {package} {advisory['range']}: {', '.join(sources)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask about everything, and tell."""
    parser = argparse.ArgumentParser(prog="make audit")
    parser.add_argument("--offline-ok", action="store_true", help="a database that cannot be asked is a warning")
    given = parser.parse_args(arguments)
    found = Found()
    audit_python(found)
    for folder in FOLDERS:
        audit_npm(found, ROOT / folder)
    found.tell()
    if found.advisories:
        return 1
    if found.unasked:
        print("the audit is not whole: run `make audit` where the network is", file=sys.stderr)
        return 0 if given.offline_ok else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
